package dev.usher.redis;

import dev.usher.testkit.FaultProxy;
import dev.usher.testkit.FaultProxy.Direction;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;

/** The network between one node and the {@link TestRedis}: faults that concern this node alone. Each method is that of {@link FaultProxy}, for all servers. */
public final class RedisWay implements AutoCloseable {

    private final String scheme;
    private final List<FaultProxy> proxies;

    RedisWay(String scheme, List<FaultProxy> proxies) {
        this.scheme = scheme;
        this.proxies = List.copyOf(proxies);
    }

    /** By which the node finds Redis. */
    public String uri() {
        return proxies.stream()
                .map(proxy -> proxy.host() + ":" + proxy.port())
                .collect(Collectors.joining(",", scheme, ""));
    }

    /** The proxy of each server. */
    public List<FaultProxy> proxies() {
        return proxies;
    }

    /** How many connections the node has. */
    public int connections() {
        return proxies.stream().mapToInt(FaultProxy::connections).sum();
    }

    public void delay(Duration delay) {
        proxies.forEach(proxy -> proxy.delay(delay));
    }

    public void freeze() {
        proxies.forEach(FaultProxy::freeze);
    }

    public void freeze(Direction direction) {
        proxies.forEach(proxy -> proxy.freeze(direction));
    }

    public void thaw() {
        proxies.forEach(FaultProxy::thaw);
    }

    public void thaw(Direction direction) {
        proxies.forEach(proxy -> proxy.thaw(direction));
    }

    public void swallow() {
        proxies.forEach(FaultProxy::swallow);
    }

    public void cut() {
        proxies.forEach(FaultProxy::cut);
    }

    public void refuse() {
        proxies.forEach(FaultProxy::refuse);
    }

    public void restore() {
        proxies.forEach(FaultProxy::restore);
    }

    @Override
    public void close() {
        proxies.forEach(FaultProxy::close);
    }
}
