/* SPDX-License-Identifier: MIT */
/* What several files of this room need; it calls none of them. */
#include "web_private.h"

void web_wake_in(struct web *web, int64_t delay_ms)
{
	int64_t at_ms = clock_now_ms(clock_real()) + delay_ms;
	pthread_mutex_lock(&web->lock);
	if (at_ms < web->wake_at_ms) {
		web->wake_at_ms = at_ms;
		pthread_cond_signal(&web->cond);
	}
	pthread_mutex_unlock(&web->lock);
}

int web_path_number(const char *text, const char **end)
{
	int value = 0;
	const char *p = text;
	while (*p >= '0' && *p <= '9' && p - text < 6) {
		value = value * 10 + (*p++ - '0');
	}
	*end = p;
	bool strict = p > text && (text[0] != '0' || p == text + 1) && !(*p >= '0' && *p <= '9');
	return strict ? value : -1;
}

void web_body(struct http_response *res, const char *content_type, size_t ceiling)
{
	res->status = 200;
	res->content_type = content_type;
	buf_init(&res->body, ceiling);
}

void web_check_body(struct http_response *res)
{
	if (res->body.failed) {
		buf_fini(&res->body);
		http_text(res, 503, "The answer does not fit into memory just now.");
	}
}

void web_server_settings(struct web *web, struct config_server *out)
{
	const struct config *config = settings_get(web->served->settings);
	*out = config->server;
	settings_release(web->served->settings, config);
}
