/* SPDX-License-Identifier: MIT */
#include "alpaca_curl.h"

#include <pthread.h>

#include "late.h"

struct alpaca_curl curl;

static const struct late_symbol symbols[] = {
	{"curl_global_init", &curl.global_init},
	{"curl_easy_init", &curl.easy_init},
	{"curl_easy_cleanup", &curl.easy_cleanup},
	{"curl_easy_setopt", &curl.easy_setopt},
	{"curl_easy_getinfo", &curl.easy_getinfo},
	{"curl_easy_strerror", &curl.easy_strerror},
	{"curl_multi_init", &curl.multi_init},
	{"curl_multi_cleanup", &curl.multi_cleanup},
	{"curl_multi_add_handle", &curl.multi_add_handle},
	{"curl_multi_remove_handle", &curl.multi_remove_handle},
	{"curl_multi_perform", &curl.multi_perform},
	{"curl_multi_info_read", &curl.multi_info_read},
	{"curl_multi_poll", &curl.multi_poll},
	{"curl_slist_append", &curl.slist_append},
	{"curl_slist_free_all", &curl.slist_free_all},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct err reason;

static void load(void)
{
	late_load(CURL_LIBRARY_FILE, symbols, sizeof symbols / sizeof symbols[0], &reason);
	if (reason.code == ERR_OK && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(&reason, ERR_NOMEM, "no memory for the HTTP library");
	}
}

enum err_code alpaca_curl_load(struct err *err)
{
	pthread_once(&once, load);
	return reason.code == ERR_OK ? ERR_OK : err_copy(err, &reason);
}
