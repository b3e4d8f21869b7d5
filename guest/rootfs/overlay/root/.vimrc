set nocompatible
syntax on
set number tabstop=8 shiftwidth=8 noexpandtab hlsearch
