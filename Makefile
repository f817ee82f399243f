# The targets that need more than Go: a container engine. Everything else is a go command, which README.md and CONTRIBUTING.md name.
ENGINE ?= docker
IMAGE ?= xsoar-defender/runtime
VERSION ?= devel
PLATFORMS ?= linux/amd64,linux/arm64

.PHONY: image publish check

# The image for this machine, kept by its engine.
image:
	$(ENGINE) build --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) .

# The image for every platform, pushed to where IMAGE says. It needs docker buildx.
publish:
	docker buildx build --platform $(PLATFORMS) --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) --push .

check:
	.ci/run
