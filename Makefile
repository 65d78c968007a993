# Servers that tests run as separate processes, built once into .tools/bin.
.PHONY: tools
tools:
	@internal/testkit/tools.sh
