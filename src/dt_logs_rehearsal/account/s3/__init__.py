"""S3: each module answers the operations on one part of a bucket."""
