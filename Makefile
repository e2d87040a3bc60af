# Every task of the project. `make help` lists them; `make demo` and `make test` do all the set-up they need.
#
# Settings: PYTHON=python3.12 (which interpreter makes the virtual environment), DIR=.millrace (the folder of the
# embedded AWS: a second demo runs side by side in another folder), TERRAFORM=terraform (for plan and apply). For the
# demo: WORKFLOW=kendra_ingestion, kb_sync, incidents or vectors, and of the first OPTION=sfn or sqs (terraform/'s
# deploy_option) and SINK=kendra or bedrock. For images: REGISTRY=<account>.dkr.ecr.<region>.amazonaws.com, and BASE=<image>.

PYTHON ?= python3
DIR ?= .millrace
WORKFLOW ?= kendra_ingestion
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
VECTORS := $(VENV)/.vectors
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --annotation-style line
MILLRACE := $(BIN)/millrace --dir $(DIR)

.DEFAULT_GOAL := help
.PHONY: help setup lock demo test soak check fix up down package images plan apply bench clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Millrace needs Python >= 3.11; $(PYTHON) is older. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VECTORS): $(READY) requirements-vectors.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-vectors.lock
	@touch $@

setup: $(READY) ## Make the virtual environment from the lock file

lock: ## Write the lock files anew from pyproject.toml
	@test -x $(BIN)/uv || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); }
	@$(COMPILE) --extra mcp --group lambda --group local --group test --group build --output-file requirements.lock pyproject.toml
	@$(COMPILE) --constraint requirements.lock --group lambda --group vectors --output-file requirements-vectors.lock pyproject.toml
	@$(COMPILE) --constraint requirements.lock --group embed-image --output-file requirements-embed-image.lock
	@$(COMPILE) --constraint requirements-vectors.lock --group store-image --output-file requirements-store-image.lock

demo: $(READY) $(if $(filter vectors,$(WORKFLOW)),$(VECTORS)) ## Deploy a workflow to the embedded AWS, run its sample, show what became of it and an answer
	@$(MILLRACE) local demo --workflow $(WORKFLOW) $(if $(OPTION),--option $(OPTION)) $(if $(SINK),--sink $(SINK))

test: $(READY) $(VECTORS) ## Every check and test that this machine can run; names what it skips and why
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

soak: $(READY) $(VECTORS) ## The long campaigns: a death at every call of every function, 20,000 documents (about two hours)
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m soak

check: $(READY) ## Lint, types, formats; edits nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(READY) ## Format and repair what a tool can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

up: $(READY) ## Start the embedded AWS and deploy to it
	@$(MILLRACE) local up
	@$(MILLRACE) local apply

down: $(READY) ## Stop the embedded AWS and remove its folder; always works
	@$(MILLRACE) local down

package: $(READY) ## Build the function zips and the dependency layer (arm64) that Terraform deploys
	@$(BIN)/python -m millrace.packaging

images: $(READY) ## Build the vector store's container images and push them to your ECR
	@$(BIN)/python -m millrace.images $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(BASE),--base $(BASE))

plan: package ## terraform plan with the real hashicorp/aws provider and your AWS credentials
	@$(BIN)/python -m millrace.terraform_core -chdir=terraform init -input=false
	@$(BIN)/python -m millrace.terraform_core -chdir=terraform plan

apply: package ## terraform apply with the real hashicorp/aws provider and your AWS credentials
	@$(BIN)/python -m millrace.terraform_core -chdir=terraform init -input=false
	@$(BIN)/python -m millrace.terraform_core -chdir=terraform apply

bench: $(READY) $(VECTORS) ## Print every figure that the README quotes
	@$(BIN)/python -m benchmarks

clean: down ## Remove what the other targets made
	@rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
