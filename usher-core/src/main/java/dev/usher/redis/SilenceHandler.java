package dev.usher.redis;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Closes a connection that receives nothing, although the pulse asks for an answer. It checks twice: a process that was frozen finds
 * every connection silent when it wakes.
 */
final class SilenceHandler extends IdleStateHandler {

    /**
     * The handler of one connection.
     *
     * @param silence the time without any data after which the connection is closed
     */
    SilenceHandler(Duration silence) {
        super(silence.dividedBy(2).toMillis(), 0, 0, TimeUnit.MILLISECONDS);
    }

    @Override
    protected void channelIdle(ChannelHandlerContext context, IdleStateEvent event) {
        if (!event.isFirst()) {
            var unused = context.close();
        }
    }
}
