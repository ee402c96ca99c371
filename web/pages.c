/* SPDX-License-Identifier: MIT */
/* The files of the status page, compiled in (the table is made by embed.py). */
#include <string.h>

#include "web_private.h"

bool pages_asset(const struct http_request *req, struct http_response *res)
{
	const char *path = strcmp(req->path, "/") == 0 ? "/index.html" : req->path;
	for (size_t i = 0; i < web_asset_count; i++) {
		const struct web_asset *asset = &web_assets[i];
		if (strcmp(path, asset->path) != 0) {
			continue;
		}
		/* Browsers keep the files and ask each time whether they are still the same: an upgrade shows
		 * at once, and a phone on a weak link loads 140 KB only the first time. */
		const char *known = req->header(req, "If-None-Match");
		if (known != NULL && strstr(known, asset->etag) != NULL) {
			web_body(res, asset->content_type, 0);
			res->status = 304;
		} else {
			res->status = 200;
			res->content_type = asset->content_type;
			res->static_body = asset->data;
			res->static_len = asset->len;
		}
		http_add_header(res, "ETag", asset->etag);
		http_add_header(res, "Cache-Control", "no-cache");
		return true;
	}
	return false;
}
