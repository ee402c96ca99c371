/* SPDX-License-Identifier: MIT */
/* The files of the status page, compiled in (the table is made by embed.py). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
/* zlib only reads its input; with this its interface says so. */
#define ZLIB_CONST
#include <zlib.h>

#include "web_private.h"

/* Whether Accept-Encoding names gzip without refusing it ("gzip;q=0").  Every browser does. */
static bool takes_gzip(const struct http_request *req)
{
	const char *accept = req->header(req, "Accept-Encoding");
	while (accept != NULL && *accept != '\0') {
		accept += strspn(accept, " \t,");
		size_t len = strcspn(accept, ",");
		if (strncasecmp(accept, "gzip", 4) == 0 && strchr(" \t;,", accept[4]) != NULL) {
			const char *quality = memchr(accept, '=', len);
			return quality == NULL || strtod(quality + 1, NULL) > 0;
		}
		accept += len;
	}
	return false;
}

/* Unpacks for the few that do not take gzip, curl without --compressed among them. */
static void send_plain(const struct web_asset *asset, struct http_response *res)
{
	web_body(res, asset->content_type, asset->plain_len);
	res->status = 200;
	unsigned char *plain = malloc(asset->plain_len);
	z_stream stream = {.next_in = asset->data, .avail_in = (uInt)asset->len, .next_out = plain,
		.avail_out = (uInt)asset->plain_len};
	/* The largest window plus 16 tells zlib to expect the gzip format. */
	if (plain != NULL && inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK) {
		int rc = inflate(&stream, Z_FINISH);
		inflateEnd(&stream);
		if (rc == Z_STREAM_END) {
			buf_add(&res->body, plain, asset->plain_len);
		} else {
			res->body.failed = true;
		}
	} else {
		res->body.failed = true;
	}
	free(plain);
}

bool pages_asset(const struct http_request *req, struct http_response *res)
{
	const char *path = strcmp(req->path, "/") == 0 ? "/index.html" : req->path;
	for (size_t i = 0; i < web_asset_count; i++) {
		const struct web_asset *asset = &web_assets[i];
		if (strcmp(path, asset->path) != 0) {
			continue;
		}
		/* Browsers keep the files and ask each time whether they are still the same: an upgrade shows
		 * at once, and a phone on a weak link loads 60 KB only the first time. */
		const char *known = req->header(req, "If-None-Match");
		if (known != NULL && strstr(known, asset->etag) != NULL) {
			web_body(res, asset->content_type, 0);
			res->status = 304;
		} else if (takes_gzip(req)) {
			res->status = 200;
			res->content_type = asset->content_type;
			res->static_body = asset->data;
			res->static_len = asset->len;
			http_add_header(res, "Content-Encoding", "gzip");
		} else {
			send_plain(asset, res);
		}
		http_add_header(res, "Vary", "Accept-Encoding");
		http_add_header(res, "ETag", asset->etag);
		http_add_header(res, "Cache-Control", "no-cache");
		return true;
	}
	return false;
}
