/* The only user of malloc and its kin.
 *
 * Memory that is not to be had ends the process (exit status 2) after a message on standard error: no caller can go on
 * sensibly, and the other half of the program restores the terminal (see engine/guard.h). So nothing here returns NULL,
 * except mem_dup(NULL). Sizes of 0 are allowed and give a pointer that may be freed. */
#ifndef PROBETOP_MEM_H
#define PROBETOP_MEM_H

#include <stddef.h>

/* Zeroed. */
void *mem_new(size_t size);
/* Zeroed; count * size is checked for overflow. */
void *mem_array(size_t count, size_t size);
/* Like realloc: new bytes are not zeroed; checked for overflow. */
void *mem_resize(void *memory, size_t count, size_t size);
/* NULL gives NULL. */
char *mem_dup(const char *string);
/* A NUL is added. */
char *mem_dup_n(const char *bytes, size_t length);
/* A copy of the string takes the place of the one in *slot, which is given back; either may be NULL, and they may be the same. */
void mem_replace(char **slot, const char *string);
/* NULL is fine. */
void mem_free(void *memory);
/* Ends the process as above: for a library that was refused memory and cannot go on. */
_Noreturn void mem_exhausted(void);
/* For a process in which libcurl works without a pause: each transfer takes and gives back a few large pieces among many small ones, at which the C library, left as it is, gathers up its small free pieces each time
 * (measured: 5 % of a probe's CPU). */
void mem_tune(void);
/* To be called after much was freed: gives the pages that nothing is left on back to the system. */
void mem_trim(void);
/* To be called when starting is over: gives back the pages of the program and its libraries, which come again from their files as they are touched. Linking and setting up libcurl and the thirty
 * libraries behind it touches several megabytes that nothing needs after that (measured: 4 MB in each half of the program). Does nothing where that is not known to be safe. */
void mem_shed(void);

#endif
