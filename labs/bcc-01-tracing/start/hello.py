"""A first program for the kernel. It runs whenever a function of the kernel does.

	python3 -u hello.py
"""

from bcc import BPF

TEXT = """
int hello(void *ctx)
{
	bpf_trace_printk("an ICMP message has arrived");
	return 0;
}
"""

b = BPF(text=TEXT)
# Which function of the kernel calls hello()?

print("Ready. Ctrl-C ends it.")
while True:
    try:
        task, _, cpu, _, _, text = b.trace_fields()
        print(f"{text.decode()}, on CPU {cpu}, in the time of {task.decode()}")
    except KeyboardInterrupt:
        break
