/* What lies beside this program, wherever it was put: in the folder of its build, or where both
 * were installed.
 */
#ifndef LORRY_APPS_BESIDE_H
#define LORRY_APPS_BESIDE_H

#include <stdbool.h>
#include <stddef.h>

/* Looks for NAME in the program's folder's IN_BUILD, then in INSTALLED, both relative to it ("."
 * for itself). True: RET_PATH is where it is; it can be read. */
bool beside_find(const char *in_build, const char *installed, const char *name, char *ret_path,
                 size_t size);

#endif
