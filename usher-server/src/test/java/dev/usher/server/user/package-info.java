@NullMarked
package dev.usher.server.user;

import org.jspecify.annotations.NullMarked;
