/* Assertions that stay on in release. A failed CHECK is a bug in Lorry, never bad input: it prints
 * where and what, and aborts, because a process that has lost its invariants must not go on
 * writing.
 */
#ifndef LORRY_BASE_CHECK_H
#define LORRY_BASE_CHECK_H

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))
#define UNREACHABLE() check_failed(__FILE__, __LINE__, "unreachable")
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
