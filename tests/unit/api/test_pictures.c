/* SPDX-License-Identifier: MIT */
/* The camera's members: its facts, and its pictures as JSON and as ImageBytes. */
#include "call_fixture.h"
#include "clock.h"

static void camera_facts(void **state)
{
	(void)state;
	static const struct {
		const char *member, *start;
	} cases[] = {
		{"cameraxsize", "{\"Value\":3,"},
		{"cameraysize", "{\"Value\":2,"},
		{"pixelsizex", "{\"Value\":3.76,"},
		{"sensorname", "{\"Value\":\"\","},
		{"electronsperadu", "{\"Value\":0.0,\"C"},
		{"bayeroffsetx", "{\"Value\":0,"},
		{"readoutmodes", "{\"Value\":[\"Normal\"],"},
		{"gain", "{\"Value\":10,"},
		{"gainmax", "{\"Value\":100,"},
		{"percentcompleted", "{\"Value\":0,"},
		{"canabortexposure", "{\"Value\":true,"},
		{"canstopexposure", "{\"Value\":false,"},
		{"lastexposurestarttime", "{\"Value\":\"\","},
		{"interfaceversion", "{\"Value\":4,"},
		{"supportedactions", "{\"Value\":[\"MeasureStars\"],"},
		{"driverversion", "{\"Value\":\"0.2\","},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char path[64];
		snprintf(path, sizeof path, "camera/0/%s", cases[i].member);
		struct answer answer = get(path);
		assert_has(&answer, cases[i].start);
	}
	struct answer answer = get("camera/0/electronsperadu");
	assert_int_equal(number(&answer), 0x400);
	answer = get("camera/0/bayeroffsetx");
	assert_int_equal(number(&answer), 0x400);
	answer = get("camera/0/offset");
	assert_int_equal(number(&answer), 0x400);
	answer = put("camera/0/offset", "Offset=1");
	assert_int_equal(number(&answer), 0x400);
	answer = get("camera/0/lastexposureduration");
	assert_int_equal(number(&answer), 0x40B);
	/* Symmetric binning: one sets both; frames are not checked when written. */
	answer = put("camera/0/biny", "BinY=2");
	assert_int_equal(number(&answer), 0);
	answer = get("camera/0/binx");
	assert_has(&answer, "{\"Value\":2,");
	answer = put("camera/0/numx", "NumX=99999");
	assert_int_equal(number(&answer), 0);
	fake->device[1].camera.has_last_exposure = true;
	fake->device[1].camera.last_duration_s = 2.5;
	fake->device[1].camera.last_start_utc_ms = 1773526111250; /* date -u -d @1773526111 */
	answer = get("camera/0/lastexposurestarttime");
	assert_has(&answer, "{\"Value\":\"2026-03-14T22:08:31.250\",");
	answer = get("camera/0/lastexposureduration");
	assert_has(&answer, "{\"Value\":2.5,");
	fake->device[1].camera.activity = CAMERA_EXPOSING;
	fake->device[1].camera.percent = 40;
	answer = get("camera/0/percentcompleted");
	assert_has(&answer, "{\"Value\":40,");
	answer = get("camera/0/camerastate");
	assert_has(&answer, "{\"Value\":2,");
}

/* 3 wide, 2 high; rows 1 2 3 / 400 50000 65535.  Alpaca wants columns. */
static void give_frame(int planes)
{
	static const uint16_t mono[] = {1, 2, 3, 400, 50000, 65535};
	static const uint16_t colour[] = {
		1, 10, 100, 2, 20, 200, 3, 30, 300, 4, 40, 400, 5, 50, 500, 6, 60, 65535};
	struct frame_info info = {.width = 3, .height = 2, .planes = planes, .bin = 1};
	fake->device[1].frame = frame_create(&info, planes == 1 ? mono : colour);
	fake->device[1].camera.image_ready = true;
}

static void images_as_json(void **state)
{
	(void)state;
	struct answer answer = get("camera/0/imagearray");
	assert_int_equal(number(&answer), 0x40B);
	assert_has(&answer, "{\"Type\":0,\"Rank\":0,\"Value\":[],");
	give_frame(1);
	answer = get("camera/0/imagearray");
	assert_has(&answer,
		"{\"Type\":2,\"Rank\":2,\"Value\":[[1,400],[2,50000],[3,65535]],"
		"\"ClientTransactionID\":21,\"ServerTransactionID\":2,\"ErrorNumber\":0,"
		"\"ErrorMessage\":\"\"}");
	assert_int_equal(number(&answer), 0);
	accept_header = "application/json";
	answer = get("camera/0/imagearrayvariant");
	assert_has(&answer, "\"Value\":[[1,400],[2,50000],[3,65535]],");
}

static void colour_images_as_json(void **state)
{
	(void)state;
	give_frame(3);
	struct answer answer = get("camera/0/imagearray");
	assert_has(&answer, "{\"Type\":2,\"Rank\":3,\"Value\":[[[1,10,100],[4,40,400]],"
			    "[[2,20,200],[5,50,500]],[[3,30,300],[6,60,65535]]],\"Client");
	assert_int_equal(number(&answer), 0);
}

static uint32_t word(const struct answer *answer, int i)
{
	const unsigned char *at = (const unsigned char *)answer->text + 4 * i;
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void images_as_bytes(void **state)
{
	(void)state;
	accept_header = "application/imagebytes, application/json";
	struct answer answer = get("camera/0/imagearray");
	assert_int_equal(number(&answer), 0x40B); /* errors are JSON */
	give_frame(1);
	answer = get("camera/0/imagearray");
	assert_string_equal(answer.content_type, "application/imagebytes");
	assert_int_equal(answer.len, 44 + 2 * 6);
	/* The eleven words of the header, from the ImageBytes specification. */
	const uint32_t words[] = {1, 0, 21, 2, 44, 2, 8, 2, 3, 2, 0};
	for (int i = 0; i < 11; i++) {
		assert_int_equal(word(&answer, i), words[i]);
	}
	/* Pixel (x, y) at 44 + 2 (x height + y). */
	const unsigned char pixels[] = {1, 0, 0x90, 0x01, 2, 0, 0x50, 0xC3, 3, 0, 0xFF, 0xFF};
	assert_memory_equal(answer.text + 44, pixels, sizeof pixels);
}

/* 2 wide, 2 high; rows as named. */
static void give(enum image_type type, const void *rows)
{
	struct frame_info info = {.width = 2, .height = 2, .planes = 1, .bin = 1, .type = type};
	frame_unref(fake->device[1].frame);
	fake->device[1].frame = frame_create(&info, rows);
	fake->device[1].camera.image_ready = true;
}

static const uint8_t bytes_u8[] = {0, 7, 99, 255};
static const int32_t words_i32[] = {0, INT32_MAX, -5, INT32_MIN};
static const float floats[] = {0.5F, NAN, -INFINITY, 16777216.0F};
static const double doubles[] = {0.1, 4294967295.0, NAN, -2.2250738585072014e-308};

/* Types of elements: the ImageBytes specification (2 Int32, 3 Double, 6 Byte); numbers: IEEE 754 and two's
 * complement, by Python's struct.pack("<...").  What is missing is 0. */
static void every_type_as_bytes(void **state)
{
	(void)state;
	static const struct {
		enum image_type type;
		const void *rows;
		uint32_t element, transmission;
		size_t len;
		const char *pixels; /* by columns */
	} row[] = {
		{IMAGE_U8, bytes_u8, 2, 6, 4, "\x00\x63\x07\xff"},
		{IMAGE_I32, words_i32, 2, 2, 16,
			"\x00\x00\x00\x00\xfb\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x80"},
		{IMAGE_F32, floats, 3, 3, 32,
			"\x00\x00\x00\x00\x00\x00\xe0\x3f\x00\x00\x00\x00\x00\x00\x00\x00"
			"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x70\x41"},
		{IMAGE_F64, doubles, 3, 3, 32,
			"\x9a\x99\x99\x99\x99\x99\xb9\x3f\x00\x00\x00\x00\x00\x00\x00\x00"
			"\x00\x00\xe0\xff\xff\xff\xef\x41\x00\x00\x00\x00\x00\x00\x10\x80"},
	};
	for (size_t i = 0; i < COUNT(row); i++) {
		accept_header = "application/imagebytes";
		give(row[i].type, row[i].rows);
		struct answer answer = get("camera/0/imagearray");
		assert_string_equal(answer.content_type, "application/imagebytes");
		assert_int_equal(answer.len, 44 + row[i].len);
		assert_int_equal(word(&answer, 5), row[i].element);
		assert_int_equal(word(&answer, 6), row[i].transmission);
		assert_memory_equal(answer.text + 44, row[i].pixels, row[i].len);
	}
}

/* The same as text.  The length that was promised is checked by get(). */
static void every_type_as_json(void **state)
{
	(void)state;
	static const struct {
		enum image_type type;
		const void *rows;
		const char *start;
	} row[] = {
		{IMAGE_U8, bytes_u8, "{\"Type\":2,\"Rank\":2,\"Value\":[[0,99],[7,255]],\"Client"},
		{IMAGE_I32, words_i32, "{\"Type\":2,\"Rank\":2,\"Value\":[[          0,         -5],"
			"[ 2147483647,-2147483648]],\"Client"},
		{IMAGE_F32, floats, "{\"Type\":3,\"Rank\":2,\"Value\":[[            0.5,              0],"
			"[              0,       16777216]],\"Client"},
		{IMAGE_F64, doubles, "{\"Type\":3,\"Rank\":2,\"Value\":[[     0.10000000000000001,"
			"                       0],[              4294967295,-2.2250738585072014e-308]],\"Client"},
	};
	accept_header = NULL;
	for (size_t i = 0; i < COUNT(row); i++) {
		give(row[i].type, row[i].rows);
		struct answer answer = get("camera/0/imagearray");
		assert_has(&answer, row[i].start);
		assert_int_equal(number(&answer), 0);
	}
}

static void accept_headers(void **state)
{
	(void)state;
	static const char *const yes[] = {"application/imagebytes", "Application/ImageBytes",
		"application/json, application/imagebytes", "application/imagebytes;q=0.5",
		"*/*,application/imagebytes ;q=1"};
	static const char *const no[] = {"", "*/*", "application/json",
		"application/imagebytes;q=0", "application/imagebytes; q=0.0",
		"application/imagebytesx", "image/*"};
	for (size_t i = 0; i < COUNT(yes); i++) {
		assert_true(image_wants_bytes(yes[i]));
	}
	for (size_t i = 0; i < COUNT(no); i++) {
		assert_false(image_wants_bytes(no[i]));
	}
	assert_false(image_wants_bytes(NULL));
}

/* A frame that is too large to be counted at once is counted in turns, and what was promised is sent; a client that
 * leaves in between takes nothing with him (the sanitizers look). */
static void large_frames_are_counted_in_turns(void **state)
{
	(void)state;
	enum { W = 1999, H = 1501 };
	uint16_t *rows = malloc(sizeof *rows * W * H);
	char text[8];
	uint64_t expected = 0;
	for (uint32_t i = 0; i < W * H; i++) {
		rows[i] = (uint16_t)(i * 2654435761u >> (i % 17 + 3));
		expected += (uint64_t)snprintf(text, sizeof text, "%d", rows[i]) + 1;
	}
	struct frame_info info = {.width = W, .height = H, .planes = 1, .bin = 1};
	fake->device[1].frame = frame_create(&info, rows);
	fake->device[1].camera.image_ready = true;
	free(rows);
	/* Each column has brackets of its own, and one comma less is between H elements and W columns. */
	static const char head[] = "{\"Type\":2,\"Rank\":2,\"Value\":[";
	static const char tail[] = "],\"ClientTransactionID\":0,\"ServerTransactionID\":1,\"ErrorNumber\":0,"
		"\"ErrorMessage\":\"\"}";
	expected += sizeof head - 1 + 2 * W - 1 + sizeof tail - 1;
	struct http_request req = {.verb = HTTP_GET, .path = "/api/v1/camera/0/imagearray", .query = span_of(""),
		.body = span_of(""), .content_type = "", .peer = "10.0.0.2", .header = header, .wait = &waiting};
	struct http_response res;
	int turns = 1;
	forget_wait();
	memset(&res, 0, sizeof res);
	while (alpaca_handle(alpaca, &req, &res) == HTTP_WAIT) {
		assert_true(waiting.deadline_ms <= clock_now_ms(clock_real()));
		waiting.resumed = true;
		memset(&res, 0, sizeof res);
		turns++;
	}
	assert_int_equal(turns, 6); /* of 524,288 elements each */
	assert_int_equal(res.stream.size, expected);
	assert_in_range(res.stream.block, 1, 256 * 1024);
	char *block = malloc(res.stream.block);
	char last = '\0';
	uint64_t len = 0;
	ssize_t n;
	while ((n = res.stream.read(res.stream.arg, len, block, res.stream.block)) > 0) {
		len += (uint64_t)n;
		last = block[n - 1];
	}
	assert_int_equal(len, expected);
	assert_int_equal(last, '}');
	free(block);
	res.stream.release(res.stream.arg);
	forget_wait();
	memset(&res, 0, sizeof res);
	assert_int_equal(alpaca_handle(alpaca, &req, &res), HTTP_WAIT);
}

/* One GET of the picture that is not read on; the caller releases the stream, when there is one. */
static void begin_reading(const char *accept, struct http_response *res)
{
	struct http_request req = {.verb = HTTP_GET, .path = "/api/v1/camera/0/imagearray", .query = span_of(""),
		.body = span_of(""), .content_type = "", .peer = "10.0.0.2", .header = header, .wait = &waiting};
	forget_wait();
	accept_header = accept;
	memset(res, 0, sizeof *res);
	assert_int_equal(alpaca_handle(alpaca, &req, res), HTTP_DONE);
}

/* Two different pictures of a camera may be in the hands of readers, in either form; a third is refused in words, and
 * the readers that are there go on. */
static void slow_readers_keep_two_pictures(void **state)
{
	(void)state;
	struct http_response first, same, second, third;
	static const char bytes[] = "application/imagebytes";
	give(IMAGE_U16, (const uint16_t[]){1, 2, 3, 4});
	begin_reading(bytes, &first);
	begin_reading(NULL, &same);
	give(IMAGE_U16, (const uint16_t[]){5, 6, 7, 8});
	begin_reading(NULL, &second);
	give(IMAGE_U16, (const uint16_t[]){9, 10, 11, 12});
	for (int i = 0; i < 2; i++) {
		accept_header = i == 0 ? bytes : NULL;
		struct answer answer = get("camera/0/imagearray");
		assert_int_equal(number(&answer), 0x40B);
		assert_has(&answer, "{\"Type\":0,\"Rank\":0,\"Value\":[],");
		assert_has(&answer, "still reading 2 earlier pictures");
	}
	/* One of two readers of a picture ends: the picture stays. */
	first.stream.release(first.stream.arg);
	struct answer answer = get("camera/0/imagearray");
	assert_int_equal(number(&answer), 0x40B);
	char text[100];
	assert_true(same.stream.read(same.stream.arg, 0, text, sizeof text) > 0);
	assert_memory_equal(text, "{\"Type\":2,\"Rank\":2,\"Value\":[[1,3],[2,4]]", 40);
	same.stream.release(same.stream.arg);
	begin_reading(bytes, &third);
	assert_int_equal(third.stream.size, 44 + 2 * 4);
	third.stream.release(third.stream.arg);
	second.stream.release(second.stream.arg);
}

static void readers_of_pictures_are_counted(void **state)
{
	(void)state;
	struct http_response res[32];
	give(IMAGE_U16, (const uint16_t[]){1, 2, 3, 4});
	for (size_t i = 0; i < COUNT(res); i++) {
		begin_reading(i % 2 == 0 ? NULL : "application/imagebytes", &res[i]);
		assert_non_null(res[i].stream.read);
	}
	struct answer answer = get("camera/0/imagearray");
	assert_int_equal(number(&answer), 0x40B);
	assert_has(&answer, "32 clients are reading pictures");
	for (size_t i = 0; i < COUNT(res); i++) {
		res[i].stream.release(res[i].stream.arg);
	}
	accept_header = NULL;
	answer = get("camera/0/imagearray");
	assert_int_equal(number(&answer), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(camera_facts),
		TEST(images_as_json),
		TEST(colour_images_as_json),
		TEST(images_as_bytes),
		TEST(every_type_as_bytes),
		TEST(every_type_as_json),
		TEST(large_frames_are_counted_in_turns),
		TEST(accept_headers),
		TEST(slow_readers_keep_two_pictures),
		TEST(readers_of_pictures_are_counted),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	free(waiting.data);
	return failed;
}
