"""What all members of a run read."""

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "{topic_prefix}"

[edge]
host = "127.0.0.1"
port = {edge_port}
{spool}

[delivery]
admin_host = "127.0.0.1"

[[sources]]
name = "chaos"
write_key = "chaos"

[[destinations]]
name = "amplitude-chaos"
type = "amplitude"
api_key = "k"
gzip = {gzip}
base_url = "{amplitude}"

[[destinations]]
name = "aampe-chaos"
type = "aampe"
region = "us-east1"
api_key = "k"
base_url = "{aampe}"
"""
SPOOL = 'spool_dir = "{directory}"'  # All edges share it.
# Beside it, in topics of its own: no destination takes what it reads.
PULL = "profiles"
PULL_TOPIC_PREFIX = "chaos-pulled."
PULLS = """\

[pull]
admin_host = "127.0.0.1"

[[pulls]]
name = "profiles"
type = "amperity"
tenant = "chaos"
token = "t"
index = "idx-1a2b"
user_id = "email"
every = "5s"
base_url = "{amperity}/api"
"""
