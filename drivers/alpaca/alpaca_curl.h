/* SPDX-License-Identifier: MIT */
/*
 * The functions of the HTTP library, which is loaded when the first device of another server is opened: behind it stand
 * a dozen others, for encryption and protocols that Alpaca does not have.
 */
#ifndef FOCUSD_ALPACA_CURL_H
#define FOCUSD_ALPACA_CURL_H

/* The library's check of types is made for calls by its own names. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "err.h"

/* Each under the name of the library's manual without its "curl_"; the library's own headers give the types. */
struct alpaca_curl {
	__typeof__(&curl_global_init) global_init;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_easy_setopt) easy_setopt;
	__typeof__(&curl_easy_getinfo) easy_getinfo;
	__typeof__(&curl_easy_strerror) easy_strerror;
	__typeof__(&curl_multi_init) multi_init;
	__typeof__(&curl_multi_cleanup) multi_cleanup;
	__typeof__(&curl_multi_add_handle) multi_add_handle;
	__typeof__(&curl_multi_remove_handle) multi_remove_handle;
	__typeof__(&curl_multi_perform) multi_perform;
	__typeof__(&curl_multi_info_read) multi_info_read;
	__typeof__(&curl_multi_poll) multi_poll;
	__typeof__(&curl_slist_append) slist_append;
	__typeof__(&curl_slist_free_all) slist_free_all;
};

/* Constant once alpaca_curl_load() has succeeded. */
extern struct alpaca_curl curl;

/* Loads the library and lets it prepare itself; nothing happens when it is there.  Any thread.  ERR_IO with a sentence
 * when it is not installed, ERR_NOMEM. */
enum err_code alpaca_curl_load(struct err *err);

#endif
