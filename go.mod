module github.com/hal0-dev/hal0

go 1.26
