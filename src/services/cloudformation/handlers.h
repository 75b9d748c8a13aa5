/* How resources of each type are made, changed, read and removed. A handler is a few functions over one resource; it
 * calls the service's own operations (call/inside.h) in the name of whoever the stack works for, so that policies,
 * limits and events are those of a client's call.
 *
 * Handlers are run again: after a crash of virga with the same token and whatever physical id was kept. create must
 * find what an earlier run made (a name or client token made of w->token), remove takes what is gone as removed. */
#pragma once
#include "services/cloudformation/api.h"
#include "services/cloudformation/types.h"

/* One resource at work. All strings live in a. */
struct cfn_work {
	struct arena *a;
	struct cloud *cloud;
	struct inside_caller who;
	struct str account, region, partition;
	struct str stack_id, stack_name, logical_id;
	const struct cfn_type *type;
	const struct json_value *properties; /* resolved; an object */
	const struct json_value *before;     /* of update: the properties until now */
	const struct json_value
		*tags,    /* of the stack, and aws:cloudformation:*: an array of Key and Value; never NULL */
		*tags_before; /* of update: those until now; NULL: the same */
	struct str token; /* 12 characters A-Z and 0-9, of this making of this resource */
	/* What the handler tells. */
	struct str physical_id;        /* set by create as soon as it is known; else as it is */
	struct json_value *attributes; /* an object to add to, for Fn::GetAtt */
	struct json_value *live;       /* of read: the properties as they are */
	struct str why;                /* of a failure */
	struct str code;               /* of the API's failure, if one caused it */
	/* Of create: this creation was begun before, and virga ended in between. What it made, if anything, is not
	 * old_physical_id, which the resource had before it was replaced. */
	bool again;
	struct str old_physical_id;
	bool snapshot; /* of remove: the deletion policy wants one */
	int64_t now_ms;
	const struct json_value *update_policy; /* the attribute UpdatePolicy; NULL */
	bool updating;                          /* an update, or waiting for one */
	int64_t deadline_ms;                    /* kept with the resource; 0: none yet */
	struct str note; /* with PENDING: the reason of an event that tells how far it is; STR_NONE */
	bool moved; /* of update: nothing has changed but the stack that it belongs to, which its tags tell */
	bool only_tags; /* of update: nothing but tags has changed */
	bool not_yet;    /* of create, with PENDING: nothing was made, and it is to be asked again */
};

/* An attribute of this name: the others are not to be shown (a custom resource's NoEcho). */
#define CFN_NO_ECHO "virga:NoEcho"

/* OK: done. PENDING: settle is to be asked, now and then, until it says OK. FAILED: w->why. */
struct cfn_handler {
	const char *type; /* NULL: the handler of all types that have a recipe (recipe.h) */
	status (*create)(struct cfn_work *w);
	status (*settle)(struct cfn_work *w); /* NULL: create and update are done when they return */
	status (*update)(struct cfn_work *w); /* NULL: every change replaces */
	status (*remove)(struct cfn_work *w); /* PENDING: asked again */
	status (*read)(
		struct cfn_work *w); /* FAILED with code "NotFound" where it is gone; NULL: drift cannot be told */
};
/* NULL: virga makes no such resources. */
const struct cfn_handler *cfn_handler_of(struct str type);
/* Of types that a recipe does not do for: one file's handlers; ends with an empty row. handlers.c lists the files. */
extern const struct cfn_handler cfn_sqs[], cfn_ssm[], cfn_stacks[], cfn_rolling[], cfn_secret_target[], cfn_custom[],
	cfn_stack_sets[],
	cfn_classic_balancer[];

/* ── for handlers ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* Calls service.op; OK and *out (may be NULL), or FAILED with w->why and w->code as a stack's events have them. */
status cfn_do(struct cfn_work *w, const char *service, const char *op, const struct json_value *in,
	const struct json_value **out) MUST_USE;
/* who becomes a session of that role, of any account, which its policies and the role's trust have to allow. FAILED:
 * *why. */
status cfn_assume(struct cloud *cloud, struct arena *a, struct str role_arn, struct str session,
	struct inside_caller *who, struct str *why) MUST_USE;
/* The same, taken as done where it fails with that code (a comma-separated list of codes). */
status cfn_do_unless(struct cfn_work *w, const char *service, const char *op, const struct json_value *in,
	const char *codes) MUST_USE;
/* Is another resource of the stack being made or changed at this moment, which may bring what this one misses? One that
 * waits itself does not count. */
bool cfn_others_under_way(struct cfn_work *w);
status cfn_fail(struct cfn_work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The property's text, or STR_NONE; the property itself or NULL. */
struct str cfn_prop(const struct cfn_work *w, const char *name);
const struct json_value *cfn_value(const struct cfn_work *w, const char *name);
/* An object of these properties as they are, where present: "VpcId,CidrBlock,…"; "Name=QueueName": put in as Name. */
struct json_value *cfn_take(struct cfn_work *w, const char *names);
struct json_value *cfn_put(struct json_value *object, struct arena *a, const char *name, struct str text);
/* A value that may be part of another tree. STR_NONE text or NULL v: nothing happens. */
void cfn_put_value(struct json_value *object, struct arena *a, const char *name, const struct json_value *v);
/* {name: text} */
struct json_value *cfn_one(struct arena *a, const char *name, struct str text);
/* The property, or STACK-LOGICALID-TOKEN cut to max characters (lower: in lower case), as CloudFormation names what has
 * no name. */
struct str cfn_name(struct cfn_work *w, const char *property, size_t max, bool lower);
/* "PT5M": milliseconds; INVALID. */
status cfn_duration_ms(struct str text, int64_t *ms) MUST_USE;
/* Did this property change (update)? */
bool cfn_changed(const struct cfn_work *w, const char *name);
void cfn_attribute(struct cfn_work *w, const char *name, struct str value);
void cfn_attribute_value(struct cfn_work *w, const char *name, const struct json_value *v);
/* Does the code tell that something is not there, or is there already? As AWS's services name such errors. */
bool cfn_says_gone(struct str code);
bool cfn_says_exists(struct str code);
struct str cfn_at(const struct json_value *v, const char *path); /* "Queue.Arn", "Items.0.Id": text or STR_NONE */
const struct json_value *cfn_in(const struct json_value *v, const char *path);
/* The resource's tags and the stack's: an array of {Key, Value}; with keys named otherwise; as a map. */
const struct json_value *cfn_tags(struct cfn_work *w);
const struct json_value *cfn_tags_named(
	struct cfn_work *w, const struct json_value *tags, const char *key, const char *value);
const struct json_value *cfn_tags_map(struct cfn_work *w, const struct json_value *tags);
/* What to add and the keys to remove, where tags changed; arrays. False where they did not. */
bool cfn_tags_changed(struct cfn_work *w, const struct json_value **add, const struct json_value **remove);
struct str cfn_arn(const struct cfn_work *w, const char *service, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
