package peers;

import com.fasterxml.jackson.core.JsonParser;
import java.io.IOException;

/** A trade, with the fields that W5 reads. */
public final class Trade {
    public long ts;
    public String symbol;
    public String kind;
    public int volume;

    public long getTs() {
        return ts;
    }

    public String getSymbol() {
        return symbol;
    }

    public String getKind() {
        return kind;
    }

    public int getVolume() {
        return volume;
    }

    /** The next one, or null at the end. */
    public static Trade read(JsonParser json) throws IOException {
        return Fields.read(json, new Trade(), Trade::set);
    }

    private void set(String name, JsonParser json) throws IOException {
        switch (name) {
            case "ts" -> ts = json.getLongValue();
            case "symbol" -> symbol = json.getText();
            case "kind" -> kind = json.getText();
            case "volume" -> volume = json.getIntValue();
            default -> json.skipChildren();
        }
    }
}
