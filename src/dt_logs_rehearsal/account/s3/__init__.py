"""S3: each module answers the operations for one part of a bucket."""
