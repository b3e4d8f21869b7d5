import { describe, expect, it } from "vitest";
import { backoffMs } from "../src/live/backoff";
import { ReconnectingSocket } from "../src/live/socket";
import { FakeNetwork } from "./fake_network";

function connect() {
  const network = new FakeNetwork();
  const states: string[] = [];
  let opened = 0;
  const socket = new ReconnectingSocket(
    "ws://test/",
    {
      onOpen: () => {
        opened += 1;
      },
      onText: () => undefined,
      onBinary: () => undefined,
      onState: (state) => states.push(state),
    },
    network,
  );
  socket.connect();
  return { network, socket, states, opened: () => opened };
}

describe("backoffMs", () => {
  it("grows, is bounded and never waits a whole second for the first try", () => {
    const low = Array.from({ length: 12 }, (_, n) => backoffMs(n, () => 0));
    const high = Array.from({ length: 12 }, (_, n) => backoffMs(n, () => 1));
    expect(high[0]).toBeLessThan(500);
    expect(Math.max(...high)).toBe(8000);
    expect(low.every((ms, n) => ms >= (high[n] as number) / 2 - 1 && ms > 0)).toBe(true);
    expect(backoffMs(5000)).toBeLessThanOrEqual(8000);
  });
});

describe("ReconnectingSocket", () => {
  it("comes back and says so", () => {
    const { network, states, opened } = connect();
    network.last.open();
    network.last.close(1006);
    network.advance(1000);
    network.last.open();
    expect(opened()).toBe(2);
    expect(states).toEqual(["connecting", "online", "reconnecting", "reconnecting", "online"]);
  });

  it("waits longer and longer for a server that does not answer", () => {
    const { network } = connect();
    const tries: number[] = [];
    for (let i = 0; i < 6; i++) {
      tries.push(network.now);
      network.last.close(1006);
      const before = network.sockets.length;
      while (network.sockets.length === before) network.advance(10);
    }
    const gaps = tries.slice(1).map((t, i) => t - (tries[i] as number));
    expect([...gaps].sort((a, b) => a - b)).toEqual(gaps);
    expect(gaps.at(-1)).toBeGreaterThan(1000);
  });

  it("counts a server that accepts and closes as failing", () => {
    const { network } = connect();
    for (let i = 0; i < 8; i++) {
      network.last.open();
      network.last.close(1011);
      network.advance(10_000);
    }
    network.last.open();
    network.last.close(1011);
    const before = network.sockets.length;
    network.advance(2000);
    expect(network.sockets).toHaveLength(before);
  });

  it("resumes at once when it was too slow", () => {
    const { network } = connect();
    network.last.open();
    network.last.text({});
    network.last.close(4408);
    network.advance(0);
    expect(network.sockets).toHaveLength(2);
  });

  it.each([4401, 4404, 4410])("does not come back after %d", (code) => {
    const { network, states } = connect();
    network.last.open();
    network.last.close(code);
    network.advance(60_000);
    expect(network.sockets).toHaveLength(1);
    expect(states.at(-1)).toBe("ended");
  });

  it("does not wait when the network returns", () => {
    const { network, socket } = connect();
    network.last.close();
    socket.retryNow();
    expect(network.sockets).toHaveLength(2);
    socket.retryNow();
    expect(network.sockets).toHaveLength(2);
  });

  it("does not wait for a handshake that hangs when the network returns", () => {
    const { network, socket, states } = connect();
    const hanging = network.last;
    network.advance(1500);
    socket.retryNow();
    expect(network.sockets).toHaveLength(2);
    expect(hanging.readyState).toBe(3);
    network.last.open();
    expect(states.at(-1)).toBe("online");
    network.advance(30_000);
    expect(network.sockets).toHaveLength(2);
  });

  it("gives up on a handshake that hangs", () => {
    const { network } = connect();
    network.advance(30_000);
    expect(network.sockets.length).toBeGreaterThan(1);
  });

  it("ignores a socket that it has given up", () => {
    const { network, socket, states } = connect();
    const first = network.last;
    first.open();
    socket.dropNow();
    network.advance(1000);
    network.last.open();
    first.onclose?.({ code: 4404 });
    expect(states.at(-1)).toBe("online");
  });
});
