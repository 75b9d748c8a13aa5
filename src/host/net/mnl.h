/* libmnl, with its loops over attributes said so that -Wconversion agrees. */
#pragma once
#include <libmnl/libmnl.h>

#define NETLINK_ROOM 32768u

#define MNL_ATTRS(attr, h, head_size)                                                                                  \
	for ((attr) = mnl_nlmsg_get_payload_offset((h), (head_size));                                                  \
		mnl_attr_ok((attr), (int)((const char *)mnl_nlmsg_get_payload_tail(h) - (const char *)(attr)));        \
		(attr) = mnl_attr_next(attr))
#define MNL_NESTED(attr, nest)                                                                                         \
	for ((attr) = mnl_attr_get_payload(nest);                                                                      \
		mnl_attr_ok((attr), (int)((const char *)mnl_attr_get_payload(nest) + mnl_attr_get_payload_len(nest) -  \
					    (const char *)(attr)));                                                    \
		(attr) = mnl_attr_next(attr))
