# netlab: one command each; all of them are netlab/install (standard library only). Settings: make up NETLAB_LISTEN_PORT=9443

RUN := @netlab/install/bootstrap.sh

.PHONY: help up down status password logs guest test test-fast lint lock docs bench-start bench-create bench-vm bench-page bench-counters bench-scale bench-storm
.DEFAULT_GOAL := help

help:
	@echo 'make up            install what is missing, start netlab, print its address'
	@echo 'make status        what runs, what is wrong, what to do'
	@echo 'make down          stop everything, leave nothing in the kernel'
	@echo 'make password      the first sign-in      make logs    follow all logs'
	@echo 'make guest         build the kernel and the file systems of VM labs (make up does it in the background)'
	@echo 'make test          all tests              make test-fast  without a browser'
	@echo 'make lint          static checks alone    make lock    resolve the dependencies anew'
	@echo 'make bench-start   all figures            make bench-create  create and delete beside ip -batch and Mininet'
	@echo 'make bench-vm      cold boot, clones alone and forty at once, pause and resume'
	@echo 'make bench-page    the lab page under load: tasks of its main thread, heap'
	@echo 'make bench-storm   a packet storm on purpose, and what the lab beside it feels'
	@echo 'make bench-scale   500 namespaces and 500 browsers at once, then 1,000 namespaces'
	@echo 'make bench-counters  reading counters of up to 500 namespaces against C, pyroute2 and ip'

up down status password logs lint lock:
	$(RUN) $@

# ARGS goes to pytest or the bench: make test ARGS='-k terminal'; to guest: make guest ARGS='import FILE'
guest test test-fast bench-start bench-create bench-vm bench-page bench-counters bench-scale bench-storm:
	$(RUN) $@ $(ARGS)

docs:
	@.venv/bin/python -m netlab.install.settings_table --write
