/* SPDX-License-Identifier: MIT */
/* Reads the parameters of an Action by its row. Pure. */
#include <stdio.h>
#include <string.h>

#include "action.h"
#include "json.h"

size_t action_param_count(const struct action *action)
{
	size_t count = 0;
	while (count < ACTION_MAX_PARAMS && (action->param[count].name != NULL || action->param[count].plain)) {
		count++;
	}
	return count;
}

static struct span trimmed(const char *text)
{
	static const char blanks[] = " \t\r\n";
	struct span out = {.data = text + strspn(text, blanks)};
	out.len = strlen(out.data);
	while (out.len > 0 && strchr(blanks, out.data[out.len - 1]) != NULL) {
		out.len--;
	}
	return out;
}

/* Copies the text and ends it with a 0; false when it is too long. */
static bool take_text(struct span text, char out[ACTION_TEXT_MAX])
{
	if (text.len >= ACTION_TEXT_MAX) {
		return false;
	}
	char raw[ACTION_TEXT_MAX];
	memcpy(raw, text.data, text.len);
	raw[text.len] = '\0';
	text_copy_clean(out, ACTION_TEXT_MAX, raw);
	return true;
}

/* The index of a word among words; -1 when it is none of them. */
static int word_index(const char *words, struct span word)
{
	for (int i = 0; *words != '\0'; i++) {
		struct span one = {.data = words, .len = strcspn(words, " ")};
		char text[ACTION_TEXT_MAX];
		if (take_text(one, text) && span_equal_nocase(word, text)) {
			return i;
		}
		words += one.len + strspn(words + one.len, " ");
	}
	return -1;
}

static enum err_code bad(const struct action *action, const char *why, struct err *err)
{
	if (action->expected == NULL) {
		return err_set(err, ERR_INVALID_VALUE, "%s takes no parameters.", action->name);
	}
	return err_set(err, ERR_INVALID_VALUE, "%s %s: Parameters must be %s.%s%s", action->name, action->help,
		action->expected, why[0] != '\0' ? " " : "", why);
}

/* Says that an action has no such parameter, and which it has. */
static enum err_code no_member(const struct action *action, const char *name, struct err *err)
{
	char clean[48];
	char list[160] = "";
	size_t n = 0;
	text_copy_clean(clean, sizeof clean, name);
	for (size_t i = 0; i < action_param_count(action) && n < sizeof list; i++) {
		if (action->param[i].name != NULL) {
			n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? ", " : "",
				action->param[i].name);
		}
	}
	return err_set(err, ERR_INVALID_VALUE, "%s has no parameter \"%s\"; it has %s.", action->name, clean, list);
}

/* What to add when a number was given as text, "3". */
static const char *quoted_hint(const struct json *value)
{
	const char *text;
	return json_as_string(value, &text) ? ", without quotes" : "";
}

static bool in_range(const struct action_param *param, double number)
{
	return number >= param->low && number <= param->high;
}

static enum err_code read_member(const struct action_param *param, const struct json *value,
	struct action_value *out, struct err *err)
{
	int32_t whole;
	const char *text;
	int word;
	switch (param->type) {
	case ACTION_NUMBER:
		if (!json_as_double(value, &out->number) || !in_range(param, out->number)) {
			return err_set(err, ERR_INVALID_VALUE, "%s must be a number from %g to %g%s.", param->name,
				param->low, param->high, quoted_hint(value));
		}
		return ERR_OK;
	case ACTION_WHOLE:
		if (!json_as_i32(value, &whole) || !in_range(param, whole)) {
			return err_set(err, ERR_INVALID_VALUE, "%s must be a whole number from %.0f to %.0f%s.",
				param->name, param->low, param->high, quoted_hint(value));
		}
		out->number = whole;
		return ERR_OK;
	case ACTION_TEXT:
		if (!json_as_string(value, &text) || strlen(text) >= sizeof out->text) {
			return err_set(err, ERR_INVALID_VALUE, "%s must be text of at most %d bytes.", param->name,
				ACTION_TEXT_MAX - 1);
		}
		text_copy_clean(out->text, sizeof out->text, text);
		return ERR_OK;
	case ACTION_WORD:
		word = json_as_string(value, &text) ? word_index(param->words, span_of(text)) : -1;
		if (word < 0) {
			return err_set(err, ERR_INVALID_VALUE, "%s must be one of: %s.", param->name, param->words);
		}
		out->number = word;
		return ERR_OK;
	}
	return err_set(err, ERR_INTERNAL, "%s has no type", param->name);
}

static enum err_code read_object(const struct action *action, struct span text, struct action_value *value,
	struct err *err)
{
	size_t count = action_param_count(action);
	struct err why = {.code = ERR_OK};
	struct json *json = json_parse(text, &why);
	if (json == NULL || !json_is_object(json)) {
		json_free(json);
		return why.code == ERR_NOMEM ? err_copy(err, &why) : bad(action, why.text, err);
	}
	enum err_code code = ERR_OK;
	const char *name;
	const struct json *member;
	for (int i = 0; code == ERR_OK && json_member(json, i, &name, &member); i++) {
		size_t k = 0;
		while (k < count && (action->param[k].name == NULL || strcmp(action->param[k].name, name) != 0)) {
			k++;
		}
		if (k == count) {
			code = no_member(action, name, err);
		} else if (!json_is_null(member)) {
			code = read_member(&action->param[k], member, &value[k], err);
			value[k].given = code == ERR_OK;
		}
	}
	json_free(json);
	return code;
}

/* Whether the text alone is a value of this parameter. */
static bool read_plain(const struct action_param *param, struct span text, struct action_value *out)
{
	int32_t whole;
	uint32_t large;
	switch (param->type) {
	case ACTION_NUMBER:
		return text_parse_double(text, &out->number) && in_range(param, out->number);
	case ACTION_WHOLE:
		if (text_parse_i32(text, &whole)) {
			out->number = whole;
		} else if (text_parse_u32(text, &large)) {
			out->number = large;
		} else {
			return false;
		}
		return in_range(param, out->number);
	case ACTION_TEXT:
		return take_text(text, out->text);
	case ACTION_WORD:
		out->number = word_index(param->words, text);
		return out->number >= 0;
	}
	return false;
}

enum err_code action_read(const struct action *action, const char *parameters, struct action_value *value,
	struct err *err)
{
	memset(value, 0, ACTION_MAX_PARAMS * sizeof value[0]);
	struct span text = trimmed(parameters);
	if (text.len == 0) {
		return action->needs_value ? bad(action, "", err) : ERR_OK;
	}
	size_t count = action_param_count(action);
	bool members = false;
	for (size_t i = 0; i < count; i++) {
		members = members || action->param[i].name != NULL;
	}
	bool given = false;
	if (text.data[0] == '{' && members) {
		enum err_code code = read_object(action, text, value, err);
		if (code != ERR_OK) {
			return code;
		}
		for (size_t i = 0; i < count; i++) {
			given = given || value[i].given;
		}
		return given || !action->needs_value ? ERR_OK : bad(action, "", err);
	}
	for (size_t i = 0; !given && i < count; i++) {
		value[i].given = action->param[i].plain && read_plain(&action->param[i], text, &value[i]);
		given = value[i].given;
	}
	return given ? ERR_OK : bad(action, "", err);
}
