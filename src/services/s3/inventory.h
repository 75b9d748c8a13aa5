/* Inventory reports ("Amazon S3 Inventory", User Guide). */
#pragma once
#include "services/s3/records.h"

/* Is it an optional field that reports here have? */
bool s3_inventory_field(struct str name);
/* The first report is due with the next day (UTC, virtual time). Writes into c->tx. */
void s3_inventory_schedule(struct call *c, const struct s3_rec_bucket *b, const struct s3_inventory_configuration *conf);
void s3_inventory_register(struct cloud *cloud);
