/* Private to the journal: the names of its segments, their files, and what is asked of a directory before it is trusted. */
#ifndef PROBETOP_JOURNAL_FILES_H
#define PROBETOP_JOURNAL_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

enum {
    JOURNAL_VERSION = 1,
    SEGMENT_NAME_SIZE = 32, /* "journal-000001.jsonl" */
};

/* Ends the lines that stand at a segment's beginning for those who start there. The quotes make it something that no string's content can look like. */
#define SEGMENT_AGAIN_MARK ",\"again\":true}"
enum { SEGMENT_AGAIN_MARK_LENGTH = sizeof SEGMENT_AGAIN_MARK - 1 };

/* name: SEGMENT_NAME_SIZE bytes. */
void segment_name(char *name, unsigned number);
/* The number in a segment's name, 0 when it is not the name of one. */
unsigned segment_number(const char *name);
/* The lowest number of a segment that is there and above `above`; 0 when there is none. */
unsigned segment_lowest(int dir_fd, unsigned above);

/* For writing: fresh, for the user alone, and never through a link. -1 with errno. */
int journal_file_create(int dir_fd, const char *name);
/* For reading; regular files only, since a pipe of that name could block. `flags`: O_NOFOLLOW or 0. -1 with errno. */
int journal_file_open(int dir_fd, const char *name, int flags);
/* The directory's entries; the caller ends it with closedir(). NULL when it cannot be read. */
DIR *journal_dir_list(int dir_fd);
/* Ours, a real directory, and nobody else may write in it (or look, where `secret`). */
bool journal_dir_is_private(const struct stat *info, bool secret);
/* Both with a character between them; to be freed. */
char *journal_join(const char *left, char between, const char *right);

#endif
