/* SPDX-License-Identifier: MIT */
/* How a call that starts something uses the memory of starts. */
#include "alpaca_call.h"

static struct start_key key_of(const struct call *call)
{
	return (struct start_key){
		.device = call->dev,
		.peer = call->client.peer,
		.client = call->ids.client,
		.transaction = call->ids.transaction,
		.member = call->route->member,
		.body = call->req->body,
	};
}

bool start_is_repeated(struct call *call, ongoing_fn ongoing)
{
	struct starts *starts = call->alpaca->starts;
	const struct start_key key = key_of(call);
	starts_begin(starts);
	struct span first = starts_first_answer(starts, &key, ongoing(call));
	if (first.data == NULL) {
		return false;
	}
	call->res->status = 200;
	call->res->content_type = "application/json";
	buf_init(&call->res->body, first.len);
	buf_add(&call->res->body, first.data, first.len);
	starts_end(starts);
	return true;
}

void start_over(struct call *call, ongoing_fn ongoing)
{
	struct starts *starts = call->alpaca->starts;
	if (call->started) {
		const struct start_key key = key_of(call);
		const struct buf *reply = &call->res->body;
		starts_remember(starts, &key, ongoing(call), (struct span){.data = reply->data, .len = reply->len});
	}
	starts_end(starts);
}
