/* Markdown for tickets: words and blocks that stay what they are, whatever is in them. What is given has been through `text` already. */
#ifndef PROBETOP_REPORT_MARKDOWN_H
#define PROBETOP_REPORT_MARKDOWN_H

#include "base/buf.h"

/* Words within a paragraph, a list or a heading: nothing in them is markup, a mention or a link. */
void markdown_words(const char *utf8, struct buf *out);
/* Words as code within a line: a longer row of backticks around them than they have. */
void markdown_code(const char *utf8, struct buf *out);
/* A block of lines in a fence that none of them can close. `language`: "yaml", "sh" or "". */
void markdown_block(const char *utf8, const char *language, struct buf *out);

#endif
