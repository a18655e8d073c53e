#!/bin/sh
# An S3 server whose keys are in files, on port 3900 with its data below /data.
set -eu
read -r access <"$S3_ACCESS_KEY_FILE" || [ -n "$access" ]
read -r secret <"$S3_SECRET_KEY_FILE" || [ -n "$secret" ]
exec /s3s-fs --host 0.0.0.0 --port 3900 --access-key "$access" --secret-key "$secret" "$@" "${S3_DATA:-/data}"
