/* Secrets never get into a fact. What was sent (header values, tokens) may come back in bodies, model ids, log lines, names: every text of every fact goes through here
 * before it is applied, written or shown.
 *
 * A secret is recognised as it was given, as struct text would show it, as JSON and as a URL would escape it. Where a body ends, or a text was cut, the
 * first bytes of a secret (4 at least) are taken for the secret. Encodings beyond these (base64, another case) are not recognised. */
#ifndef PROBETOP_REDACT_H
#define PROBETOP_REDACT_H

#include "model/fact.h"

/* Shorter secrets would turn ordinary words into "[redacted]" and are left alone: refuse them where they are configured. */
enum { REDACT_LENGTH_MIN = 4 };

struct redact;
struct redact *redact_new(char *const *secrets, size_t count); /* copies them */
void redact_free(struct redact *redact);
/* One more secret. Known and too short ones change nothing. */
void redact_add(struct redact *redact, const char *secret);
/* Replaces every secret in every text and every string of the fact by "[redacted]". Header values of probe specs are not touched: they are needed for sending and never written down. */
void redact_fact(const struct redact *redact, struct fact *fact);
/* The same for one text; `tail`: its end may be the beginning of a secret even where the text is not marked as cut. */
void redact_text(const struct redact *redact, struct text *text, bool tail);

#endif
