/* A mailer that writes each message into a folder, as one .eml file that any mail program opens:
 * for trying things out, and for tests. A message that comes twice is one file.
 */
#ifndef LORRY_ADAPTERS_MAIL_MAIL_FOLDER_H
#define LORRY_ADAPTERS_MAIL_MAIL_FOLDER_H

#include "base/arena.h"
#include "ports/mailer.h"

/* Makes the folder DIR if it is not there, and its thread. FROM: see mime_sender. ERR_IO,
 * ERR_INVALID, ERR_LIMIT; *RET_WHY, in A, says in a sentence what is wrong. */
int mail_folder_open(const char *dir, const char *from, struct arena *a, struct mailer **ret_mailer,
                     struct str *ret_why);

#endif
