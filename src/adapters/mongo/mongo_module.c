#include "adapters/mongo/mongo_store.h"
#include "base/module_build.h"

extern const struct mongo_module lorry_module;
const struct mongo_module lorry_module = {
    .module.build = MODULE_BUILD,
    .open = mongo_source_open,
    .port = mongo_source_port,
    .close = mongo_source_close,
};
