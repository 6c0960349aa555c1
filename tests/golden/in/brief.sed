# Leaves out of a summary as JSON, or of a dump, what is long and of one kind.
/"settings": {/,/}/d
/"lateness": \[/,/\]/d
/^    settings {/,/^    }/d
