"""Policy files, checked before a service refuses to start on them: whose they are, what is wrong, where, what to do."""
