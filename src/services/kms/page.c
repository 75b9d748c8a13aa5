/* Markers of lists: opaque to clients; base64 of "1" and the last name that was listed. */
#include "services/kms/room.h"

struct str kms_marker(struct kms_scope *s, struct str last)
{
	return str_base64(s->arena, str_cat(s->arena, STR("1"), last));
}

status kms_marker_read(struct kms_scope *s, struct str marker, struct str *last)
{
	*last = STR_NONE;
	if (!str_has(marker)) return OK;
	struct str bytes;
	if (!is_ok(str_unbase64(s->arena, marker, &bytes)) || !str_starts(bytes, STR("1")) || !str_utf8_valid(bytes))
		return kms_refuse(s, KMS_ERR_INVALID_MARKER_EXCEPTION, "Invalid marker.");
	*last = str_from(bytes, 1);
	return OK;
}
