package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;

/** Sets a field of an event to the value at which the parser stands, or skips it if nobody reads it. */
interface Fields<E> {
    void set(E event, String name, JsonParser json) throws IOException;

    /** Fills the event with the next object of a file; null at the end. */
    static <E> E read(JsonParser json, E event, Fields<E> fields) throws IOException {
        if (json.nextToken() == null) {
            return null;
        }
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            json.nextToken();
            fields.set(event, name, json);
        }
        return event;
    }
}
