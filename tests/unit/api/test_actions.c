/* SPDX-License-Identifier: MIT */
/* The table of Actions against what is promised of them, row by row, and the checks that come from it. */
#include "call_fixture.h"

#include "action.h"

/* Section 5 of the contract, for the Actions that are built: names as spelt there, in the order of the list that
 * clients get; who waits; who starts something that goes on afterwards (section 8.2); the members of the JSON object;
 * what may stand there plain. */
static const struct {
	const char *name;
	bool waits, starts;
	const char *members;
	const char *plain;   /* a value that must be taken */
} promised[] = {
	{"AutofocusStatus", false, false, "", "41"},
	{"AutofocusWait", true, false, "", "0.5"},
	{"MeasureStars", true, false, "exposure_s binning gain", NULL},
	{"Autofocus", false, true, "exposure_s points step filter binning gain camera mode", NULL},
	{"AutofocusAbort", false, false, "", NULL},
	{"Learned", true, false, "", "forget"},
	{"GuidedFocus", false, true, "", "start"},
	{"SetPosition", true, false, "position turns", "keep"},
	{"SetTemperature", false, false, "temperature_c", "11.5"},
	{"Calibrate", false, true, "", "Abort"},
};

static void the_table_is_what_was_promised(void **state)
{
	(void)state;
	assert_int_equal(alpaca_action_count, COUNT(promised));
	for (size_t i = 0; i < COUNT(promised); i++) {
		const struct action *action = &alpaca_actions[i];
		assert_string_equal(action->name, promised[i].name);
		assert_ptr_equal(action->kind, &focuser_kind);
		/* "Actions that concern a camera alone (MeasureStars) are on the camera, too." */
		assert_ptr_equal(action->also, strcmp(action->name, "MeasureStars") == 0 ? &camera_kind : NULL);
		assert_int_equal(action->waits, promised[i].waits);
		assert_int_equal(action->ongoing != NULL, promised[i].starts);
		/* One that starts something is carried out with a lock held. */
		assert_false(action->waits && action->ongoing != NULL);
		char members[256] = "";
		for (size_t k = 0; k < action_param_count(action); k++) {
			const char *name = action->param[k].name;
			if (name != NULL) {
				size_t len = strlen(members);
				snprintf(members + len, sizeof members - len, "%s%s", len > 0 ? " " : "", name);
			}
		}
		assert_string_equal(members, promised[i].members);
		struct err err = {.code = ERR_OK};
		struct action_value value[ACTION_MAX_PARAMS];
		if (promised[i].plain != NULL) {
			assert_int_equal(action_read(action, promised[i].plain, value, &err), ERR_OK);
		}
		assert_int_equal(action_read(action, "no such thing", value, &err), ERR_INVALID_VALUE);
		assert_non_null(strstr(err.text, action->name));
	}
}

static void assert_bad(const struct action *action, const char *parameters, const char *named)
{
	struct err err = {.code = ERR_OK};
	struct action_value value[ACTION_MAX_PARAMS];
	if (action_read(action, parameters, value, &err) != ERR_INVALID_VALUE || strstr(err.text, named) == NULL) {
		fail_msg("%s took %s, or \"%s\" does not name %s", action->name, parameters, err.text, named);
	}
}

static void every_row_checks_its_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < alpaca_action_count; i++) {
		const struct action *action = &alpaca_actions[i];
		for (size_t k = 0; k < action_param_count(action); k++) {
			const struct action_param *param = &action->param[k];
			if (param->name == NULL) {
				continue;
			}
			char text[160];
			char other[64];
			snprintf(other, sizeof other, "\"%sx\"", param->name);
			snprintf(text, sizeof text, "{%s: 1}", other);
			assert_bad(action, text, other);
			snprintf(text, sizeof text, "{\"%s\": [1]}", param->name);
			assert_bad(action, text, param->name);
			if (param->type == ACTION_TEXT) {
				snprintf(text, sizeof text, "{\"%s\": \"%064d\"}", param->name, 0);
				assert_bad(action, text, param->name);
				continue;
			}
			snprintf(text, sizeof text, "{\"%s\": \"3\"}", param->name);
			assert_bad(action, text, param->name);
			snprintf(text, sizeof text, "{\"%s\": %.17g}", param->name, param->low - 1);
			assert_bad(action, text, param->name);
			snprintf(text, sizeof text, "{\"%s\": %.17g}", param->name, param->high + 1);
			assert_bad(action, text, param->name);
			if (param->type == ACTION_WHOLE) {
				snprintf(text, sizeof text, "{\"%s\": 7.5}", param->name);
				assert_bad(action, text, param->name);
			}
		}
	}
}

/* What is reserved for later is an unknown action until it is built. */
static void reserved_names_answer_as_unknown(void **state)
{
	(void)state;
	static const char *const reserved[] = {"State", "FindStepSize", "MeasureBacklash",
		"CalibrateStepSize", "SetFilter", "FilterOffsets", "TemperatureModel", "Advice", "Settings", "Presets",
		"Diagnose", "Bahtinov", "JobStatus"};
	for (size_t i = 0; i < COUNT(reserved); i++) {
		char form[80];
		snprintf(form, sizeof form, "Action=%s&Parameters=", reserved[i]);
		struct answer answer = put("focuser/0/action", form);
		assert_int_equal(number(&answer), 0x40C);
	}
}

static char *read_file(const char *dir, const char *name)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 256 * 1024);
	assert_non_null(text);
	assert_true(fread(text, 1, 256 * 1024 - 1, file) > 0);
	fclose(file);
	return text;
}

static void the_manual_has_every_action_and_member(void **state)
{
	(void)state;
	const char *dir = getenv("MAN_DIR");
	assert_non_null(dir);
	char *text = read_file(dir, "focusd.1");
	for (size_t i = 0; i < alpaca_action_count; i++) {
		const struct action *action = &alpaca_actions[i];
		char item[80];
		snprintf(item, sizeof item, "\n.It Cm %s\n", action->name);
		char *at = strstr(text, item);
		if (at == NULL) {
			fail_msg("focusd.1 does not have the action %s", action->name);
			continue;
		}
		char *next = strstr(at + 1, "\n.It Cm ");
		char *end = strstr(at, "\n.El");
		end = next != NULL && next < end ? next : end;
		*end = '\0';
		for (size_t k = 0; k < action_param_count(action); k++) {
			const char *name = action->param[k].name;
			if (name != NULL && strstr(at, name) == NULL) {
				fail_msg("focusd.1 does not say that %s takes %s", action->name, name);
			}
		}
		*end = '\n';
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_table_is_what_was_promised),
		TEST(every_row_checks_its_members),
		TEST(reserved_names_answer_as_unknown),
		TEST(the_manual_has_every_action_and_member),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
