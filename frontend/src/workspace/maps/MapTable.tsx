// One map: its name and kind, a row for each entry; a single entry of many fields from top to bottom.

import { Fragment } from "react";
import { ariaSort, inOrder, type Order, pressed } from "./map_order";
import { aboutMap, type CellView, heading, isNumber, leftOut, type MapView, type RowView, rateText } from "./map_view";

interface Ordered {
  view: MapView;
  order: Order;
  onOrder: (order: Order) => void;
}

export function MapTable({ view, node, order, onOrder }: Ordered & { node: string }) {
  const { map, rows } = view;
  const rest = leftOut(map);
  const name = map.name || `map ${map.id}`;
  return (
    <details className="map" open>
      <summary>
        <span className="mono map-name">{name}</span>
        {node && <span className="map-node">{node}</span>}
        <span className="muted small map-about">{aboutMap(map)}</span>
      </summary>
      {map.note ? (
        <p className="map-note">{map.note}</p>
      ) : rows.length === 0 ? (
        <p className="map-note">{map.zeros ? "All of it is zero." : "It is empty."}</p>
      ) : view.upright ? (
        <UprightTable view={view} name={name} />
      ) : (
        <RowTable view={view} name={name} order={order} onOrder={onOrder} />
      )}
      {rest && rows.length > 0 && <p className="map-note">{rest}</p>}
    </details>
  );
}

function RowTable({ view, name, order, onOrder }: Ordered & { name: string }) {
  const { map } = view;
  const keys = map.key.length;
  const sorting = (column: number, rate: boolean) => ({
    sorted: ariaSort(order, column, rate),
    onSort: () => onOrder(pressed(order, column, rate, keys)),
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must get there
    <section className="map-scroll" tabIndex={0} aria-label={`Entries of ${name}`}>
      <table>
        <thead>
          <tr>
            {map.key.map((field, at) => (
              <Head
                key={`key ${field.name}`}
                name={heading(field, "key")}
                className={isNumber(field) ? "number" : ""}
                {...sorting(at, false)}
              />
            ))}
            {map.value.map((field, at) => (
              <Fragment key={`value ${field.name}`}>
                <Head
                  name={heading(field, "value")}
                  className={isNumber(field) ? "number" : ""}
                  {...sorting(keys + at, false)}
                />
                {field.counts && (
                  <Head name="/ s" of={heading(field, "value")} className="number rate" {...sorting(keys + at, true)} />
                )}
              </Fragment>
            ))}
          </tr>
        </thead>
        <tbody>
          {inOrder(view, order).map((row) => (
            <Row key={row.id} row={row} view={view} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  name: string;
  /** The value whose rate it is. */
  of?: string;
  className: string;
  sorted: "ascending" | "descending" | undefined;
  onSort: () => void;
}

/** Pressed, it sorts by its column; again, the other way round. */
function Head({ name, of, className, sorted, onSort }: HeadProps) {
  return (
    <th scope="col" className={className} aria-sort={sorted}>
      <button type="button" className="sort-button" title={`Sort by ${of ? `${of} ` : ""}${name}`} onClick={onSort}>
        {of && <span className="visually-hidden">{of} </span>}
        {name}
        <span className="sort-sign" aria-hidden="true">
          {sorted === "ascending" ? "▴" : sorted === "descending" ? "▾" : ""}
        </span>
      </button>
    </th>
  );
}

function Row({ row, view }: { row: RowView; view: MapView }) {
  const { map } = view;
  return (
    <tr className={row.fresh ? "fresh" : ""}>
      {map.key.map((field, at) => (
        <th key={`key ${field.name}`} scope="row" className={cellClass(isNumber(field), field.kind === "hex", false)}>
          {row.key[at]}
        </th>
      ))}
      {map.value.map((field, at) => {
        const cell = row.value[at];
        return (
          cell && (
            <ValueCells
              key={`value ${field.name}`}
              cell={cell}
              number={isNumber(field)}
              hex={field.kind === "hex"}
              counts={field.counts}
            />
          )
        );
      })}
    </tr>
  );
}

function UprightTable({ view, name }: { view: MapView; name: string }) {
  const [row] = view.rows;
  if (!row) return null;
  return (
    <table aria-label={`The entry of ${name}`}>
      <tbody>
        {view.map.value.map((field, at) => {
          const cell = row.value[at];
          return (
            cell && (
              <tr key={field.name}>
                <th scope="row">{heading(field, "value")}</th>
                <ValueCells cell={cell} number={isNumber(field)} hex={field.kind === "hex"} counts />
              </tr>
            )
          );
        })}
      </tbody>
    </table>
  );
}

function ValueCells({ cell, number, hex, counts }: { cell: CellView; number: boolean; hex: boolean; counts: boolean }) {
  return (
    <>
      <td className={`${cellClass(number, hex, cell.changed)}${cell.text === "0" ? " zero" : ""}`}>{cell.text}</td>
      {counts && <td className={cell.rate ? "number rate" : "number rate still"}>{rateText(cell.rate)}</td>}
    </>
  );
}

function cellClass(number: boolean, hex: boolean, changed: boolean): string {
  return [number ? "number" : hex ? "mono" : "", changed ? "changed" : ""].filter(Boolean).join(" ");
}
