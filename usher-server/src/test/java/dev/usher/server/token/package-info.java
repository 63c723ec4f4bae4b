@NullMarked
package dev.usher.server.token;

import org.jspecify.annotations.NullMarked;
