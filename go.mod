module github.com/hal0-dev/hal0

go 1.26.0

require (
	github.com/BurntSushi/toml v1.4.0
	github.com/google/renameio/v2 v2.0.0
	github.com/hashicorp/go-hclog v1.6.3
	github.com/mitchellh/mapstructure v1.5.1-0.20231216201459-8508981c8b6c
	github.com/traefik/paerser v0.2.2
	golang.org/x/sys v0.45.0
	gopkg.in/yaml.v3 v3.0.1
)

require (
	github.com/fatih/color v1.13.0 // indirect
	github.com/mattn/go-colorable v0.1.12 // indirect
	github.com/mattn/go-isatty v0.0.14 // indirect
)
