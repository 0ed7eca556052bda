import { Pool, QueryResult } from 'pg';
import type { Request, Response, NextFunction } from 'express';

interface Order {
  readonly id: number;
  customer: string;
  total: number;
  state: 'open' | 'paid' | 'sent';
}

enum Sort {
  Newest = 'created_at DESC',
  Largest = 'total DESC',
}

type Handler<T> = (request: Request, response: Response, next: NextFunction) => Promise<T | void>;

export class Orders {
  constructor(private readonly pool: Pool) {}

  async byCustomer(customer: string, sort: Sort = Sort.Newest): Promise<Order[]> {
    const result: QueryResult<Order> = await this.pool.query(
      `SELECT id, customer, total, state FROM orders WHERE customer = '${customer}' ORDER BY ${sort}`,
    );
    return result.rows;
  }

  async byState(state: Order['state']): Promise<Order[]> {
    const { rows } = await this.pool.query<Order>('SELECT * FROM orders WHERE state = $1', [state]);
    return rows;
  }
}

export function list(orders: Orders): Handler<Response> {
  return async (request, response, next) => {
    try {
      const rows = await orders.byCustomer(String(request.query.customer), request.query.sort as Sort);
      return response.json(rows.map(({ id, total }) => ({ id, total: total.toFixed(2) })));
    } catch (error: unknown) {
      next(error);
    }
  };
}
