# Two commands for a newcomer: `make demo` and `make test`. Each does all its set-up on a bare machine with Python 3.11.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SIMULATED := $(addprefix tests/live/,test_demo_day.py test_full_sweep.py test_generated_days.py)  # long, and no server
PROPERTIES = $(shell grep -rl --include='test_*.py' '^@given' tests)  # tried as often as they say, not a quarter of it
RESULTS := $(VENV)/results.json

.PHONY: demo test check live lint format lock pictures docs clean

demo: $(STAMP)  ## a bad day on a simulated GPU cluster, with you as the person who is asked
	$(BIN)/watchkeeper demo

test: lint  ## the quick suite
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/watchkeeper evaluate scenarios/ --jobs 2 --report $(RESULTS)
	$(BIN)/python docs/write_results.py --check $(RESULTS)

check: test live  ## what CI calls: the quick suite, then everything that needs real servers

live: $(STAMP)  ## real Kubernetes and Kueue, Prometheus, Alertmanager, PostgreSQL and OPA, a real model, processes that are killed
	./tests/live/install.sh
	$(BIN)/python -m pytest $(SIMULATED) -n 2 --override-ini addopts="-q --strict-markers"
	$(BIN)/python -m pytest $(PROPERTIES) -m hypothesis --hypothesis-profile whole -n 2
	$(BIN)/python -m pytest tests/live $(SIMULATED:%=--ignore=%) -n 2 --dist loadfile --no-loadscope-reorder --override-ini addopts="-q --strict-markers"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(STAMP): requirements.lock pyproject.toml
	$(shell command -v $(PYTHON) || command -v python3) -m venv $(VENV)
	@# what is imported is compiled then; most of the 12,000 modules never are
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock: $(STAMP)  ## resolves the dependencies anew, with hashes; what is pinned stays unless it must move
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.11 --extra dev --strip-extras \
		--custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

pictures: $(STAMP)  ## draws the pictures of the README anew
	$(BIN)/python docs/pictures/draw.py

docs: $(STAMP)  ## writes the generated parts of the docs anew
	$(BIN)/python docs/write_policies.py
	$(BIN)/python docs/write_actions.py
	$(BIN)/python docs/write_rbac.py
	$(BIN)/python docs/write_thresholds.py
	$(BIN)/watchkeeper evaluate scenarios/ --jobs 2 --report $(RESULTS)
	$(BIN)/python docs/write_results.py $(RESULTS)
