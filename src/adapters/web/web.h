/* The web app's files, as its build leaves them in a folder: listed at the start, each read when it
 * is first asked for, then answered from memory. What is changed in between is not sent: after
 * another build start anew.
 *
 * Beside a file may lie the same compressed (app.js.br, app.js.gz), which is sent to whoever takes
 * it. What lies in assets/ has its content's hash in its name and is kept by browsers for good;
 * everything else is asked for again. An address without a file, and without a dot in its last
 * part, is a page of the app: /book/x gets book.html where there is one, else index.html.
 *
 * Never answered: what belongs to the API (/v1/…, /problems/…, /healthz and so on), other methods
 * than GET and HEAD.
 */
#ifndef LORRY_ADAPTERS_WEB_WEB_H
#define LORRY_ADAPTERS_WEB_WEB_H

#include "runtime/call.h"

#define WEB_FILES_MAX 2000
#define WEB_BYTES_MAX ((size_t)64 << 20) /* all files together */
#define WEB_PATH_MAX 1024                /* bytes of an address, with its zero */
#define WEB_DEPTH_MAX 8                  /* folders in folders */

struct web;
/* ERR_NOT_FOUND: no such folder, or no index.html in it; ERR_LIMIT: more than the bounds above;
 * ERR_IO. WHY is said in arena A. */
int web_open(const char *dir, struct arena *a, struct web **ret_web, struct str *ret_why);
struct web *web_close(struct web *w); /* after the last answer; NULL ok; returns NULL */
/* True: C was for the app and has been replied to. Any thread. */
bool web_answer(const struct web *w, struct call *c);

#endif
