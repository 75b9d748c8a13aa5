/* Errors that every service shares. Their codes and HTTP statuses differ by protocol (InvalidClientTokenId in query,
 * UnrecognizedClientException in json, InvalidAccessKeyId in S3, AuthFailure in ec2); wire/error.c holds that table.
 * Error ids from WIRE_ERR_SERVICE on are the service's own: WIRE_ERR_SERVICE + index in its tables' errors. */
#pragma once
#include "wire/desc.h"

enum wire_common_error {
	ERR_NONE = 0,
	ERR_ACCESS_DENIED,
	ERR_NOT_IMPLEMENTED,       /* 501, names the operation */
	ERR_UNKNOWN_OPERATION,     /* UnknownOperationException, InvalidAction */
	ERR_UNKNOWN_SERVICE,
	ERR_INTERNAL,              /* InternalFailure, InternalError, InternalServerError */
	ERR_UNAVAILABLE,
	ERR_THROTTLED,
	ERR_VALIDATION,            /* ValidationException, ValidationError, InvalidParameterValue, InvalidArgument */
	ERR_SERIALIZATION,         /* SerializationException, MalformedInput, MalformedXML */
	ERR_MISSING_PARAMETER,
	ERR_MISSING_AUTHENTICATION,/* MissingAuthenticationToken(Exception), AccessDenied in S3 */
	ERR_INCOMPLETE_SIGNATURE,  /* the Authorization header's form */
	ERR_SIGNATURE,             /* SignatureDoesNotMatch, InvalidSignatureException */
	ERR_UNKNOWN_KEY,           /* InvalidClientTokenId, UnrecognizedClientException, InvalidAccessKeyId, AuthFailure */
	ERR_INVALID_TOKEN,         /* a session token that is not what was issued */
	ERR_EXPIRED_TOKEN,
	ERR_TIME_SKEWED,           /* RequestTimeTooSkewed, signature expired */
	ERR_REQUEST_EXPIRED,       /* a presigned URL past its time */
	ERR_TOO_LARGE,
	ERR_METHOD_NOT_ALLOWED,
	ERR_COMMON_COUNT,
};
#define WIRE_ERR_SERVICE 256u
typedef uint16_t error_id;
_Static_assert(ERR_COMMON_COUNT < WIRE_ERR_SERVICE, "the services' error ids follow the common ones");
