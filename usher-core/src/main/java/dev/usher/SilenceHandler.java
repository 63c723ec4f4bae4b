package dev.usher;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.handler.timeout.IdleStateHandler;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Closes a connection on which nothing comes, although it is asked for. It looks twice: a process that was frozen finds every
 * connection silent when it wakes.
 */
final class SilenceHandler extends IdleStateHandler {

    /**
     * Of one connection.
     *
     * @param silence for how long nothing has come when it is closed
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
