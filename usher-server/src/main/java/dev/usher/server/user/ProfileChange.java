package dev.usher.server.user;

import dev.usher.UserProfile;
import java.time.Duration;
import org.springframework.http.HttpHeaders;

/**
 * A profile after its change, and what the other nodes know of the change.
 *
 * @param profile as the database has it now
 * @param announcement what became of the announcement
 */
record ProfileChange(UserProfile profile, Announcement announcement) {

    /** Within how many seconds every node shows a change. */
    static final String VISIBLE_WITHIN = "Usher-Visible-Within";

    private static final String CACHE_STATUS = "Cache-Status";

    /** What became of the announcement of a change. */
    enum Announcement {
        /** Nothing was changed. */
        NONE,
        /** Redis has taken it. */
        SENT,
        /** It is sent as soon as Redis takes it. */
        PENDING
    }

    /** Says so in headers of the answer, as RFC 9211 has it. */
    HttpHeaders headers(Duration stalenessBound) {
        HttpHeaders headers = new HttpHeaders();
        switch (announcement) {
            case NONE -> {}
            case SENT -> {
                headers.set(CACHE_STATUS, "usher; fwd=method; detail=invalidated");
                headers.set(
                        VISIBLE_WITHIN,
                        Long.toString(stalenessBound.plusMillis(999).toSeconds()));
            }
            case PENDING -> headers.set(CACHE_STATUS, "usher; fwd=method; detail=invalidation-pending");
        }
        return headers;
    }
}
