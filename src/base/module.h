/* A module: a driver of the program in a file of its own (lorry-postgres.so), which is loaded when
 * a setting asks for it. So nobody pays at start for the libraries of servers that he does not use,
 * and `lorry` alone needs none of them.
 *
 * A module exports one object, `lorry_module`: a struct that begins with a struct module and goes
 * on with pointers to the driver's functions. It brings its own copy of the folders that it needs
 * (they keep no state of their own), so it is for the program of the same build only.
 */
#ifndef LORRY_BASE_MODULE_H
#define LORRY_BASE_MODULE_H

#define MODULE_SYMBOL "lorry_module"

struct module {
    const char *build; /* MODULE_BUILD (base/module_build.h): changes with any header */
};

#endif
