# netlab: one command each; all of them are netlab/install (standard library only). Settings: make up NETLAB_LISTEN_PORT=9443

RUN := @netlab/install/bootstrap.sh

.PHONY: help up down status password logs test test-fast lint lock docs bench-start bench-create
.DEFAULT_GOAL := help

help:
	@echo 'make up            install what is missing, start netlab, print its address'
	@echo 'make status        what runs, what is wrong, what to do'
	@echo 'make down          stop everything, leave nothing in the kernel'
	@echo 'make password      the first sign-in      make logs    follow all logs'
	@echo 'make test          all tests              make test-fast  without a browser'
	@echo 'make lint          static checks alone    make lock    resolve the dependencies anew'
	@echo 'make bench-start   all figures            make bench-create  create and delete beside ip -batch and Mininet'

up down status password logs lint lock:
	$(RUN) $@

# ARGS goes to pytest or the bench: make test ARGS='-k terminal'
test test-fast bench-start bench-create:
	$(RUN) $@ $(ARGS)

docs:
	@.venv/bin/python -m netlab.install.settings_table --write
