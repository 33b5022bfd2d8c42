#include "adapters/postgres/postgres_store.h"
#include "base/module_build.h"

extern const struct postgres_module lorry_module;
const struct postgres_module lorry_module = {
    .module.build = MODULE_BUILD,
    .open = postgres_source_open,
    .port = postgres_source_port,
    .metrics = postgres_source_metrics,
    .close = postgres_source_close,
};
