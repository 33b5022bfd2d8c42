#include "adapters/curl/curl_blobs.h"
#include "adapters/curl/curl_mailer.h"
#include "base/module_build.h"

extern const struct curl_module lorry_module;
const struct curl_module lorry_module = {
    .module.build = MODULE_BUILD,
    .mailer_open = curl_mailer_open,
    .poster_open = curl_poster_open,
    .blobs_open = curl_blobs_open,
};
