/* SPDX-License-Identifier: MIT */
/* Addresses, headers, assets, history, setup pages, metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fake_core.h"

static struct web *web;

static int setup(void **state)
{
	(void)state;
	fake_setup();
	web = web_create(&fake.served);
	web_set_server(web, fake_server());
	return web == NULL;
}

static int teardown(void **state)
{
	(void)state;
	web_destroy(web);
	fake_teardown();
	return 0;
}

static void assert_contains(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL) {
		fail_msg("'%s' is missing in:\n%s", part, text != NULL ? text : "(nothing)");
	}
}

/* Every address with its status; all answers carry the headers that the contract of the page asks
 * for. */
static void addresses(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		enum http_verb verb;
		int status;
		const char *type;
	} rows[] = {
		{"/", HTTP_GET, 200, "text/html"},
		{"/", HTTP_HEAD, 200, "text/html"},
		{"/", HTTP_POST, 405, "text/plain"},
		{"/status.js", HTTP_GET, 200, "text/javascript"},
		{"/dygraph.min.js", HTTP_GET, 200, "text/javascript"},
		{"/dygraph.css", HTTP_GET, 200, "text/css"},
		{"/icon.svg", HTTP_GET, 200, "image/svg+xml"},
		{"/Status.js", HTTP_GET, 404, "text/plain"},
		{"/../web.c", HTTP_GET, 404, "text/plain"},
		{"", HTTP_GET, 404, "text/plain"},
		{"/healthz", HTTP_GET, 200, "text/plain"},
		{"/healthz", HTTP_PUT, 405, "text/plain"},
		{"/metrics", HTTP_GET, 200, "text/plain"},
		{"/events", HTTP_HEAD, 200, "text/event-stream"},
		{"/focusd/v1/runs", HTTP_GET, 200, "application/json"},
		{"/focusd/v1/runs?limit=10", HTTP_GET, 200, "application/json"},
		{"/focusd/v1/runs?limit=0", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs?limit=1001", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs?limit=x", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs?limit=99999999999999999999", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs/", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/0", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/7", HTTP_GET, 200, "application/json"},
		{"/focusd/v1/runs/8", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/-7", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/7x", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/99999999999999999999", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/7/cutouts.jpg", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/runs/7?format=csv", HTTP_GET, 200, "text/csv"},
		{"/focusd/v1/runs/7?format=nina", HTTP_GET, 200, "application/json"},
		{"/focusd/v1/runs/7?format=xml", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs/7?format=", HTTP_GET, 400, "text/plain"},
		{"/focusd/v1/runs/7?format=jsonjsonjson", HTTP_GET, 400, "text/plain"},
		{"/setup", HTTP_GET, 200, "text/html"},
		{"/setup/v1/focuser/0/setup", HTTP_GET, 200, "text/html"},
		{"/setup/v1/camera/0/setup", HTTP_GET, 200, "text/html"},
		{"/setup/v1/camera/1/setup", HTTP_GET, 404, "text/html"},
		{"/setup/v1/focuser/00/setup", HTTP_GET, 404, "text/html"},
		{"/setup/v1/focuser/-1/setup", HTTP_GET, 404, "text/html"},
		{"/setup/v1/focuser/0/setup/", HTTP_GET, 404, "text/html"},
		{"/setup/v1/Focuser/0/setup", HTTP_GET, 404, "text/html"},
		{"/setup/v1/dome/0/setup", HTTP_GET, 404, "text/html"},
		{"/setup/v1/", HTTP_GET, 404, "text/html"},
		{"/focusd/v1/camera/0/preview.jpg", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/camera/3/preview.jpg", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/camera/0/preview.png", HTTP_GET, 404, "text/plain"},
		{"/focusd/v1/camera/", HTTP_GET, 404, "text/plain"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct reply reply = fake_ask(web,
			(struct fake_request){.target = rows[i].target, .verb = rows[i].verb});
		if (reply.res.status != rows[i].status) {
			fail_msg("%s: %d", rows[i].target, reply.res.status);
		}
		assert_memory_equal(reply.res.content_type, rows[i].type, strlen(rows[i].type));
		assert_contains(fake_header(&reply, "Content-Security-Policy"), "default-src 'self'");
		assert_contains(fake_header(&reply, "Content-Security-Policy"), "frame-ancestors 'none'");
		assert_string_equal(fake_header(&reply, "X-Content-Type-Options"), "nosniff");
		assert_string_equal(fake_header(&reply, "Referrer-Policy"), "no-referrer");
		assert_non_null(fake_header(&reply, "Cache-Control"));
		fake_reply_free(&reply);
	}
}

static void assets_are_revalidated(void **state)
{
	(void)state;
	struct reply first = fake_get(web, "/index.html");
	char etag[64];
	snprintf(etag, sizeof etag, "%s", fake_header(&first, "ETag"));
	assert_true(first.res.body.len > 1000);
	assert_memory_equal(first.res.body.data, "<!DOCTYPE html>", 15);
	assert_null(fake_header(&first, "Content-Encoding"));
	assert_string_equal(fake_header(&first, "Vary"), "Accept-Encoding");
	struct reply packed = fake_ask(web,
		(struct fake_request){.target = "/index.html", .accept_encoding = "br, gzip"});
	assert_string_equal(fake_header(&packed, "Content-Encoding"), "gzip");
	assert_true(packed.res.static_len < first.res.body.len);
	assert_memory_equal(packed.res.static_body, "\x1f\x8b", 2); /* RFC 1952 */
	fake_reply_free(&packed);
	fake_reply_free(&first);
	static const char *const refusals[] = {"gzip;q=0", "identity", "xgzip", ""};
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct reply plain = fake_ask(web,
			(struct fake_request){.target = "/", .accept_encoding = refusals[i]});
		assert_null(fake_header(&plain, "Content-Encoding"));
		fake_reply_free(&plain);
	}
	struct reply again = fake_ask(web,
		(struct fake_request){.target = "/", .if_none_match = etag});
	assert_int_equal(again.res.status, 304);
	assert_int_equal(again.res.static_len, 0);
	fake_reply_free(&again);
	struct reply other = fake_ask(web,
		(struct fake_request){.target = "/style.css", .if_none_match = etag});
	assert_int_equal(other.res.status, 200);
	fake_reply_free(&other);
}

static void history(void **state)
{
	(void)state;
	fake.runs_text = "[{\"run\":7}]";
	struct reply reply = fake_get(web, "/focusd/v1/runs?limit=10");
	assert_string_equal(fake_text(&reply), "[{\"run\":7}]");
	assert_int_equal(fake.runs_limit, 10);
	fake_reply_free(&reply);
	reply = fake_get(web, "/focusd/v1/runs/7?format=csv");
	assert_string_equal(fake_text(&reply), "csv of 7\n");
	fake_reply_free(&reply);
	reply = fake_get(web, "/focusd/v1/runs/7?format=text");
	assert_string_equal(fake_text(&reply), "text of 7\n");
	fake_reply_free(&reply);
	reply = fake_get(web, "/focusd/v1/runs/7?format=nina");
	assert_string_equal(fake_text(&reply), "{\"nina\":7}");
	fake_reply_free(&reply);
	/* The running one is not in the store yet. */
	fake.run = fake_run(9);
	fake.running = 9;
	reply = fake_get(web, "/focusd/v1/runs/9");
	assert_string_equal(fake_text(&reply), "{\"run\":9}");
	fake_reply_free(&reply);
	fake.store_broken = true;
	reply = fake_get(web, "/focusd/v1/runs/7");
	assert_int_equal(reply.res.status, 500);
	assert_contains(fake_text(&reply), "the disk is full");
	fake_reply_free(&reply);
	reply = fake_get(web, "/focusd/v1/runs");
	assert_int_equal(reply.res.status, 500);
	fake_reply_free(&reply);
}

static void setup_before_connecting(void **state)
{
	(void)state;
	struct reply reply = fake_ask(web, (struct fake_request){
		.target = "/setup/v1/focuser/0/setup", .host = "pier<2>.local:11111"});
	const char *html = fake_text(&reply);
	assert_contains(html, "C8 &lt;motor&gt;");
	assert_null(strstr(html, "<motor>"));
	assert_contains(html, "pier&lt;2&gt;.local</dd>");
	assert_contains(html, "<dd>11111</dd>");
	assert_contains(html, "not connected");
	assert_contains(html, "known when connected");
	assert_contains(html, "<strong>leave N.I.N.A.'s backlash at 0</strong>");
	assert_contains(html, "8a6e0804-2bd0-4672-b79d-d97027f9071a");
	assert_contains(html, "[focuser.0]");
	/* The policy forbids what is written into the page itself. */
	assert_null(strstr(html, "style="));
	assert_null(strstr(html, "<script>"));
	fake_reply_free(&reply);
}

static void setup_owner_of_backlash(void **state)
{
	(void)state;
	fake.focuser.focuser.link = LINK_UP;
	fake.focuser.focuser.max_step = 60000;
	fake.focuser.focuser.backlash_steps = 150;
	struct reply reply = fake_get(web, "/setup/v1/focuser/0/setup");
	assert_contains(fake_text(&reply), "150 steps too far");
	assert_contains(fake_text(&reply), "<strong>Leave N.I.N.A.'s backlash at 0</strong>");
	assert_contains(fake_text(&reply), "60000 steps");
	fake_reply_free(&reply);
	fake.focuser.focuser.backlash_steps = 0;
	fake.focuser.focuser.device_backlash_steps = 70;
	reply = fake_get(web, "/setup/v1/focuser/0/setup");
	assert_contains(fake_text(&reply), "70 steps");
	assert_contains(fake_text(&reply), "The device takes up its backlash by itself");
	fake_reply_free(&reply);
	reply = fake_get(web, "/setup/v1/camera/0/setup");
	assert_contains(fake_text(&reply), "f/10.0"); /* 2032 mm by 203.2 mm */
	fake_reply_free(&reply);
}

static void hosts(void **state)
{
	(void)state;
	static const struct {
		const char *host, *shown, *port;
	} rows[] = {
		{"192.168.1.5:11111", "<dd>192.168.1.5</dd>", "<dd>11111</dd>"},
		{"pier.local", "<dd>pier.local</dd>", "<dd>80</dd>"},
		{"[fe80::1]:4567", "<dd>[fe80::1]</dd>", "<dd>4567</dd>"},
		{"[fe80::1]", "<dd>[fe80::1]</dd>", "<dd>80</dd>"},
		{NULL, "this computer", "<dd>11111</dd>"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct reply reply = fake_ask(web,
			(struct fake_request){.target = "/setup", .host = rows[i].host});
		assert_contains(fake_text(&reply), rows[i].shown);
		assert_contains(fake_text(&reply), rows[i].port);
		fake_reply_free(&reply);
	}
}

static void metrics(void **state)
{
	(void)state;
	struct reply reply = fake_get(web, "/metrics");
	assert_contains(fake_text(&reply), "focusd_link_up{device=\"focuser.0\"} 0\n");
	assert_contains(fake_text(&reply), "focusd_link_up{device=\"camera.0\"} 0\n");
	assert_null(strstr(fake_text(&reply), "focusd_focuser_position_steps{"));
	assert_null(strstr(fake_text(&reply), "focusd_focuser_temperature_celsius{"));
	assert_null(strstr(fake_text(&reply), "focusd_autofocus_hfr_pixels{"));
	assert_contains(fake_text(&reply), "focusd_http_requests_total{code=\"2xx\"} 200\n");
	fake_reply_free(&reply);

	struct focuser_state *s = &fake.focuser.focuser;
	s->link = LINK_UP;
	s->position_valid = true;
	s->position = 12345;
	s->is_moving = true;
	s->temperature_valid = true;
	s->temperature_c = -4.5;
	s->trust = POSITION_KNOWN;
	fake.focuser.errors[ERR_TIMEOUT] = 3;
	fake.run = fake_run(7);
	fake.run_counts[RUN_FAILED] = 2;
	reply = fake_get(web, "/metrics");
	static const char *const lines[] = {
		"\nfocusd_build_info{version=\"" FOCUSD_VERSION "\"} 1\n",
		"\nfocusd_focuser_position_steps{device=\"focuser.0\"} 12345\n",
		"\nfocusd_focuser_position_known{device=\"focuser.0\"} 1\n",
		"\nfocusd_focuser_temperature_celsius{device=\"focuser.0\"} -4.5\n",
		"\nfocusd_focuser_moving{device=\"focuser.0\"} 1\n",
		"\nfocusd_link_up{device=\"focuser.0\"} 1\n",
		"\nfocusd_serial_errors_total{device=\"focuser.0\",kind=\"timeout\"} 3\n",
		"\nfocusd_autofocus_running{device=\"focuser.0\"} 0\n",
		"\nfocusd_autofocus_runs_total{device=\"focuser.0\",result=\"failed\"} 2\n",
		"\nfocusd_autofocus_hfr_pixels{device=\"focuser.0\"} 2.5\n",
		"\nfocusd_autofocus_duration_seconds{device=\"focuser.0\"} 61\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		assert_contains(fake_text(&reply), lines[i]);
	}
	fake_reply_free(&reply);
	s->position_stale = true; /* an old number never poses as a fresh one */
	reply = fake_get(web, "/metrics");
	assert_null(strstr(fake_text(&reply), "focusd_focuser_position_steps{"));
	fake_reply_free(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(assets_are_revalidated, setup, teardown),
		cmocka_unit_test_setup_teardown(history, setup, teardown),
		cmocka_unit_test_setup_teardown(setup_before_connecting, setup, teardown),
		cmocka_unit_test_setup_teardown(setup_owner_of_backlash, setup, teardown),
		cmocka_unit_test_setup_teardown(hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics, setup, teardown),
	};
	return cmocka_run_group_tests_name("web pages", tests, NULL, NULL);
}
